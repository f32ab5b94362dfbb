# Looks at a host's network for netops preflight: which names it can resolve, and which other hosts it reaches.
# Given: how many names, the names, then an address and a port for each other host. All at once, 5 s at most.
count=$1
shift
exec 2> /dev/null

within() {
  if command -v timeout > /dev/null; then timeout "$@"; else shift && "$@"; fi
}
resolve() {
  if within 5 getent hosts "$2" > /dev/null; then echo "$1 yes $2"; else echo "$1 no $2"; fi
}

resolve own "$(uname -n)" &
while [ "$count" -gt 0 ]; do
  resolve name "$1" &
  shift
  count=$((count - 1))
done
# /dev/tcp is bash's own (bash(1), REDIRECTION).
if command -v bash > /dev/null && command -v timeout > /dev/null; then
  while [ $# -ge 2 ]; do
    {
      timeout 3 bash -c 'exec 3<> "/dev/tcp/$0/$1"' "$1" "$2"
      echo "peer $? $1 $2"
    } &
    shift 2
  done
elif [ $# -ge 2 ]; then
  echo "blind"
fi
wait
exit 0
