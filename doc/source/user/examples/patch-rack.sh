# Prints something of each host of the plan's first batch.
of_batch() {
    python3 -c "import json
for row in json.load(open('plan.json')):
    if row['Batch'] == 1:
        print($1)"
}

touch done.txt
while true; do
    openstack host maintenance plan --aggregate rack-1 --at-once 10 \
        --done @done.txt -f json > plan.json
    code=$?
    case $code in
        0 | 3) ;;
        *) exit $code ;;
    esac
    of_batch "row['Host']" > batch.txt
    of_batch "*row['Avoid'], sep=','" > avoid.txt
    test -s batch.txt || exit $code
    openstack host maintenance drain $(cat batch.txt) --avoid @avoid.txt \
        --until "$1" --reason 'kernel update CHG0042' \
        -f value -c Name -c Host -c Result || exit
    for host in $(cat batch.txt); do
        patch_host "$host" || exit
        openstack host maintenance unset "$host" || exit
        echo "$host" >> done.txt
    done
done
