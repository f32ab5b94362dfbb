# Looks at the paths that a plan works on. It only reads. Given: the paths, each absolute.
LC_ALL=C
export LC_ALL
exec 2> /dev/null

# Kind and size of what is there, then of what a link leads to; a path begins with its slash.
stat -c 'is/%F/%s%n' -- "$@"
stat -L -c 'to/%F/%s%n' -- "$@"

# Of each path the nearest that is there, which is what df can be asked about.
given=$#
for path; do
  near=$path
  while [ ! -e "$near" ] && [ "$near" != / ]; do
    above=${near%/*}
    # No folder can be made below what is no folder, or leads nowhere.
    if [ -L "$near" ] && [ "$near" != "$path" ]; then stat -c 'over/%F/%s%n' -- "$near"; fi
    near=${above:-/}
  done
  if [ "$near" != "$path" ] && [ ! -d "$near" ]; then
    stat -c 'over/%F/%s%n' -- "$near"
    stat -L -c 'to/%F/%s%n' -- "$near"
  fi
  set -- "$@" "$near"
done
shift "$given"

echo '@@disks'
df -B1 --output=avail,target -- "$@"
echo '@@mounts'
cat /proc/self/mountinfo
exit 0
