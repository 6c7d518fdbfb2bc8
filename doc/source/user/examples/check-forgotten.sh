#!/bin/sh
found=$(openstack host maintenance list --older-than "$1" \
    -f value -c Host -c Since -c Reason)
case $? in
    0) echo "OK: no host in maintenance for longer than $1" ;;
    3) echo "WARNING: in maintenance for longer than $1:"
       echo "$found" | tr '|' '/'
       exit 1 ;;
    *) echo 'UNKNOWN: standard error says why; as far as known:'
       echo "$found" | tr '|' '/'
       exit 3 ;;
esac
