"""A browser without a screen, for BROWSER: it follows redirects and keeps cookies, as far as the callback."""

import sys
import urllib.request

# Everything is on this machine: no proxy of the environment stands between.
handlers = urllib.request.HTTPCookieProcessor(), urllib.request.ProxyHandler({})
with urllib.request.build_opener(*handlers).open(sys.argv[1], timeout=10) as answer:
    answer.read()
