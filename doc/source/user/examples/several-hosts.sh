openstack host maintenance drain cmp01 cmp02 --exclude old-wiki \
    -f value -c Name -c Host -c Result -c Code
echo "exit code: $?"
