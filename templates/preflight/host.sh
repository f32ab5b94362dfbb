# Looks at a host for netops preflight. It only reads; what it finds stands below a line with @@ and a name.
# Given: where releases, data and logs lie, the history of activations, the wanted release's executable; then the
# commands that must be there.
releases=$1 data=$2 logs=$3 history=$4 executable=$5
shift 5
exec 2> /dev/null

# A file system or a service manager that hangs must not hold the whole look.
within() {
  if command -v timeout > /dev/null; then timeout 5 "$@"; else "$@"; fi
}
at() {
  printf '\n@@%s\n' "$1"
}

at user
id -u
id -un
# sshd leaves other accounts without the folders that sudo looks in (sudoers(5), secure_path).
if [ "$(id -u)" != 0 ]; then
  PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
  within sudo -n true && echo sudo
fi

at system
uname -s
uname -m
uname -r

at glibc
getconf GNU_LIBC_VERSION

at libraries
{
  ldconfig -p
  ls -1 /lib/*/libstdc++.so.6 /lib/*/libgcc_s.so.1 /lib64/libstdc++.so.6 /lib64/libgcc_s.so.1 \
    /usr/lib/libstdc++.so.6 /usr/lib/libgcc_s.so.1
} | while read -r line; do
  # The cache that ldconfig prints may name what is gone.
  path=${line##* }
  case $path in
    */libstdc++.so.6 | */libgcc_s.so.1) [ -e "$path" ] && echo "${path##*/}" ;;
  esac
done

at missing
for name; do command -v "$name" > /dev/null || printf '%s\n' "$name"; done

at cpus
nproc

at memory
cat /proc/meminfo

# A host in a container sees the whole machine above; what it may use of it stands here (cgroups(7), version 2, then 1).
at quota
group=/sys/fs/cgroup
cat $group/cpu.max || echo "$(cat $group/cpu/cpu.cfs_quota_us) $(cat $group/cpu/cpu.cfs_period_us)"
at bound
cat $group/memory.max $group/memory.current ||
  cat $group/memory/memory.limit_in_bytes $group/memory/memory.usage_in_bytes

# df asks about what is there: of a folder that is yet to be made, the one that it will be made in.
disk() {
  path=$2
  while [ ! -e "$path" ] && [ "$path" != / ]; do path=${path%/*} path=${path:-/}; done
  printf '%s ' "$1"
  within df -B1 --output=avail,size,iavail,itotal,target -- "$path" | {
    read -r header
    read -r line && printf '%s' "$line"
  }
  echo
}
at disks
disk releases "$releases"
disk data "$data"
disk logs "$logs"

at mounts
cat /proc/self/mountinfo

at release
stat -c %s -- "$executable"

at record
for record in "$history"/*/activation.json; do head -c 65536 -- "$record"; echo; done

at listeners
if command -v ss > /dev/null; then within ss -H -ltnp; else cat /proc/net/tcp /proc/net/tcp6; fi

at synchronised
within timedatectl show -p NTPSynchronized

# sd_booted(3)
at systemd
if [ -d /run/systemd/system ]; then
  echo booted
  systemctl --version | { read -r line && echo "$line"; }
  within systemctl is-system-running
fi
at failed
[ -d /run/systemd/system ] && within systemctl list-units --failed --plain --no-legend

at kernel
stat -f -c %T /sys/fs/cgroup
cat /proc/sys/net/core/somaxconn

at selinux
cat /sys/fs/selinux/enforce
at apparmor
cat /sys/module/apparmor/parameters/enabled
exit 0
