# Runs inside the new base image: what a plain server starts, and nothing that identifies one host.
set -eu
systemctl enable systemd-networkd.service
systemctl mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer
printf 'PermitRootLogin prohibit-password\nPasswordAuthentication no\n' > /etc/ssh/sshd_config.d/lab.conf
apt-get clean
rm -f /etc/ssh/ssh_host_* /var/lib/dbus/machine-id /etc/hostname /etc/resolv.conf
: > /etc/machine-id
