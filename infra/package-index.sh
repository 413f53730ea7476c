# Sourced with $python set. uv does not read pip's configuration: pass on its package index and its certificates.
pip_setting() { "$python" -m pip config list 2>/dev/null | sed -n "s/^[^=]*\.$1='\(.*\)'\$/\1/p" | tail -n 1 || true; }
if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
  index=${PIP_INDEX_URL:-$(pip_setting index-url)}
  if [ -n "$index" ]; then export UV_DEFAULT_INDEX="$index"; fi
fi
if [ -z "${SSL_CERT_FILE:-}" ]; then
  certificates=${PIP_CERT:-$(pip_setting cert)}
  if [ -n "$certificates" ]; then export SSL_CERT_FILE="$certificates"; fi
fi
