#!/bin/sh
# Exits with 0 if this process has the attributes of the part "attributes": see src/cases/attributes.rs.  The nice
# value has to be one above that of the parent.
set -e
read -r _ _ _ parent _ session _ _ _ _ _ _ _ _ _ _ _ _ nice _ <"/proc/$$/stat"
read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ before _ <"/proc/$parent/stat"
test "$session" = "$$"
test "$nice" = "$((before < 19 ? before + 1 : 19))"
test "$(umask)" = 0027
test "$(ulimit -Sn) $(ulimit -Hn)" = "256 512"
test "$(ulimit -Sc) $(ulimit -Hc)" = "0 0"
while read -r name value; do
    # SIGINT is bit 1 of the mask of ignored signals.
    if test "$name" = SigIgn:; then exit "$((0x$value >> 1 & 1))"; fi
done <"/proc/$$/status"
exit 2
