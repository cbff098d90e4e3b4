#!/bin/sh
# Puts Bun $1 at .bun/bun, from the package registry through whichever of bun (another version) or npm is there.
# The platform's own package is one executable: no install script runs, nothing comes from anywhere else.
set -eu
version=$1
if [ "$(.bun/bun --version 2>/dev/null)" = "$version" ]; then exit 0; fi

case "$(uname -s)" in
  Linux) os=linux ;;
  Darwin) os=darwin ;;
  *) echo "no Bun $version for $(uname -s): build on Linux or macOS" >&2; exit 1 ;;
esac
case "$(uname -m)" in
  x86_64 | amd64) arch=x64 ;;
  aarch64 | arm64) arch=aarch64 ;;
  *) echo "no Bun $version for $(uname -m)" >&2; exit 1 ;;
esac
suffix=
if [ "$os" = linux ] && ! getconf GNU_LIBC_VERSION >/dev/null 2>&1; then suffix=-musl; fi
if [ "$os-$arch" = linux-x64 ] && ! grep -q -w avx2 /proc/cpuinfo; then suffix=$suffix-baseline; fi
package=@oven/bun-$os-$arch$suffix

echo "getting $package@$version from the package registry" >&2
rm -rf .bun
mkdir -p .bun
cd .bun
echo '{ "private": true }' > package.json
if command -v npm >/dev/null 2>&1; then
  npm install --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel=error "$package@$version" >&2
elif command -v bun >/dev/null 2>&1; then
  bun add --exact --ignore-scripts "$package@$version" >&2
else
  echo "neither npm nor bun is on PATH: install Node.js (with npm) or Bun, then run make again" >&2
  exit 1
fi
binary=node_modules/$package/bin/bun
chmod +x "$binary"
found=$("./$binary" --version)
if [ "$found" != "$version" ]; then
  echo "$package says it is Bun $found, wanted $version" >&2
  exit 1
fi
ln -s "$binary" bun
