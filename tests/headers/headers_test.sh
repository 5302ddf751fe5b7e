#!/bin/sh
# Every public header compiles alone, as C11 and as C++17, without a warning.
set -u
root=$1
failed=0
for header in "$root"/include/sluice/*.h; do
    name=sluice/$(basename "$header")
    echo "#include \"$name\"" | cc -x c -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$root/include" - || failed=1
    echo "#include \"$name\"" | c++ -x c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$root/include" - || failed=1
done
exit $failed
