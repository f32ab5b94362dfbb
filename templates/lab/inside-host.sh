# In the keeper's own mount namespace: the host's root file system, a control group, then systemd as its process 1.
set -eu
folder=$1 host=$2 machine=$3 group=$4 base=$5
mount -t overlay overlay -o "lowerdir=$base,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"

# systemd needs cgroup version 2, also where this machine runs version 1. The keeper and the host get a group each, since
# a group that holds processes cannot hand controllers to the groups below it.
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$group/keeper" "/sys/fs/cgroup/$group/host"
echo $$ > "/sys/fs/cgroup/$group/keeper/cgroup.procs"

# What systemd-nspawn notes down in /run is nobody else's business, and goes with us.
mount -t tmpfs tmpfs /run

# Process 1 of a namespace of its own: the kernel ends everything below when the keeper or systemd-nspawn ends.
# shellcheck disable=SC2016 # the inner shell expands it
exec unshare --pid --fork --kill-child --mount-proc sh -c 'echo 0 > "$1/cgroup.procs"; shift; exec "$@"' enter \
  "/sys/fs/cgroup/$group/host" \
  systemd-nspawn --quiet --boot --directory="$folder/root" --machine="$machine" --hostname="$host" \
  --network-bridge=lab --register=no --keep-unit --link-journal=no --resolv-conf=off --timezone=off --console=read-only
