"""A browser without a screen, for BROWSER: it follows redirects and keeps cookies, to the callback and no further."""

import sys
import urllib.request

keeping_cookies = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
with keeping_cookies.open(sys.argv[1], timeout=10) as answer:
    answer.read()
