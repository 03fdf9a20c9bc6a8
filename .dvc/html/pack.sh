#!/usr/bin/env bash
# Write plots.html, the page that `dvc plots` fills: layout.html with the Vega libraries inside, so
# that plots need no network. Run it after a change of layout.html; it needs npm.
set -euo pipefail
cd "$(dirname "$0")"

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

fetch() { # name@version, SHA-256 of the package, path of the script inside
  npm pack --silent --pack-destination "$scratch" "$1" > "$scratch/name"
  echo "$2  $scratch/$(cat "$scratch/name")" | sha256sum --check --quiet
  printf '<script>/* %s, BSD-3-Clause, https://github.com/vega */\n' "$1"
  tar --extract --to-stdout --gzip --file "$scratch/$(cat "$scratch/name")" "package/$3" | grep -v '^//# sourceMappingURL'
  printf '</script>\n'
}

license() { # of all three; vega's own package lacks the file
  printf '<!-- Vega, Vega-Lite, Vega-Embed:\n'
  tar --extract --to-stdout --gzip --file "$scratch"/vega-embed-*.tgz package/LICENSE
  printf -- '-->\n'
}

{
  fetch vega@5.33.1 1b8504b6731c5311be3269c4d84ca996a5cc293bc772283293ede20c490e16c3 build/vega.min.js
  fetch vega-lite@5.23.0 e4cbfdd8f6f1abe381c59cd558fd6a559c12b1496bfdf2e0c3295263a40fe4da build/vega-lite.min.js
  fetch vega-embed@6.29.0 ecf1ee709c2bac9e0a4ead6908114b05b62c71493e10a8a4308109bb070f8eb1 build/vega-embed.min.js
  license
} > "$scratch/libraries"
sed -e "/<!-- libraries -->/{r $scratch/libraries" -e 'd}' layout.html > "$scratch/plots.html"
mv "$scratch/plots.html" plots.html
