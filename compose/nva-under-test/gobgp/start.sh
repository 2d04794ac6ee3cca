# GoBGP's configuration knows no routes of its own: they are added when it runs.
gobgpd -f /etc/gobgp/gobgpd.conf &
until gobgp global rib add 10.98.0.0/16 nexthop 10.1.2.4 2>/dev/null; do sleep 0.1; done
wait
