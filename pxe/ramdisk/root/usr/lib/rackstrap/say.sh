# For init and what it starts: a line for the person in front of the machine, on every console that the kernel names active.
say() {
  read -r consoles </sys/class/tty/console/active
  for console in $consoles; do
    # A serial line that nobody made refuses; the others are still told.
    printf 'init: %s\r\n' "$*" >"/dev/$console"
  done
  read -r uptime _ </proc/uptime
  echo "$uptime $*" >>/run/init.log
}
