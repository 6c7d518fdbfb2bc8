found=$(openstack host maintenance list --older-than "$1" \
    -f value -c Host -c Since -c Reason)
case $? in
    0) echo "OK: no host in maintenance for longer than $1" ;;
    3) echo "WARNING: in maintenance for longer than $1:"
       echo "$found"
       exit 1 ;;
    *) echo 'UNKNOWN: standard error says why'
       exit 3 ;;
esac
