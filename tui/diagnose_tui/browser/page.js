"use strict";

// Keys go to the terminal without a click: there is nothing else on the page to type into.
function focusTerminal() {
  document.querySelector(".xterm-helper-textarea")?.focus();
}

new MutationObserver(focusTerminal).observe(document.body, { attributeFilter: ["class"] });
window.addEventListener("focus", focusTerminal);
document.getElementById("again").addEventListener("click", () => window.location.reload());
