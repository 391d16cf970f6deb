"use strict";
(() => {
  const said = document.getElementById("said");
  document.documentElement.dataset.copy = "on";

  document.addEventListener("click", async event => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const source = button.previousElementSibling;
    let what = "Copied";
    try {
      await navigator.clipboard.writeText(source.href || source.textContent.trim());
    } catch { // not https, or not allowed: the person presses the keys
      getSelection().selectAllChildren(source);
      what = "Selected";
    }
    button.textContent = said.textContent = what;
    setTimeout(() => { button.textContent = "Copy"; said.textContent = ""; }, 2000);
  });
})();
