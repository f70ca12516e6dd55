#!/bin/sh
# deps.sh run|all|bench: installs what is missing on Debian 12 to build and run locum, to test it too, or
# what its benchmark compares with and draws by.
#
# Nothing that is there is upgraded, no database cluster is made, and when nothing is missing apt is
# not called at all.
set -eu
export LC_ALL=C

run_packages='gcc make pkg-config libc6-dev libpq-dev uuid-dev libuv1-dev libconfuse-dev
libjansson-dev libsmartcols-dev postgresql-15 util-linux procps scdoc'
test_packages='libcmocka-dev git clang clang-format libclang-rt-14-dev shellcheck spin
python3-minimal nodejs pgbouncer strace nftables iproute2'
bench_packages='gnuplot-nox postgresql-15-pgq3'
# Node.js from elsewhere brings npm along, and Debian's package would fight with it.
command -v npm > /dev/null || bench_packages="$bench_packages npm"

case ${1:-} in
run) wanted=$run_packages ;;
all) wanted="$run_packages $test_packages" ;;
bench) wanted=$bench_packages ;;
*)
	sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
	exit 64
	;;
esac

installed() {
	dpkg-query -W -f '${db:Status-Status}\n' "$1" 2> /dev/null | grep -qx installed
}

missing_of() {
	for package in "$@"; do
		installed "$package" || echo "$package"
	done
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# apt-get without questions and without services being started by the way.
apt() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -q \
		--no-install-recommends --no-upgrade "$@" < /dev/null
}

# PACKAGE or PACKAGE=VERSION: a development package needs exactly the version of its library, so
# the library's decides while the archive still has it; the newest would upgrade the library.
versioned() {
	case $1 in
	libc6-dev) library=libc6 ;;
	libpq-dev) library=libpq5 ;;
	uuid-dev) library=libuuid1 ;;
	libsmartcols-dev) library=libsmartcols1 ;;
	postgresql-15) library=postgresql-client-15 ;;
	*) library= ;;
	esac
	version=
	if [ -n "$library" ] && installed "$library"; then
		version=$(dpkg-query -W -f '${Version}' "$library")
		apt-cache madison "$1" | awk -F ' *[|] *' '{ print $2 }' | grep -qxF "$version" || version=
	fi
	echo "$1${version:+=$version}"
}

# The server's package makes and starts a cluster of its own unless it is told not to. A machine
# where its settings already are keeps them.
refuse_main_cluster() {
	conf=/etc/postgresql-common/createcluster.conf
	if installed postgresql-15 || [ -e "$conf" ]; then
		return
	fi
	apt install postgresql-common
	as_root sed -i 's/^#* *create_main_cluster.*/create_main_cluster = false/' "$conf"
}

# shellcheck disable=SC2086 # a list of words
missing=$(missing_of $wanted)
[ -n "$missing" ] || exit 0

list=$(echo "$missing" | tr '\n' ' ')
if ! command -v apt-get > /dev/null; then
	echo "deps: this is not Debian; please install what these packages hold: $list" >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ] && ! command -v sudo > /dev/null; then
	echo "deps: please run as root: apt-get install --no-install-recommends --no-upgrade $list" >&2
	exit 1
fi

echo "deps: installing $list"
apt update
refuse_main_cluster
chosen=
for package in $missing; do
	chosen="$chosen $(versioned "$package")"
done
# shellcheck disable=SC2086 # a list of words
apt install $chosen
