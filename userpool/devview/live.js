"use strict";
(() => {
  const main = document.querySelector("main");
  const pause = ms => new Promise(done => setTimeout(done, ms));
  const busy = () => document.hidden || String(getSelection()) || main.querySelector("input:focus, select:focus");

  async function renew() {
    const answer = await fetch(location.href);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    for (const open of main.querySelectorAll("details[open][id]")) {
      fresh.querySelector("#" + CSS.escape(open.id))?.setAttribute("open", "");
    }
    const focused = main.contains(document.activeElement) && document.activeElement.id;
    main.dataset.version = fresh.dataset.version;
    later(fresh.dataset.renew);
    main.replaceChildren(...fresh.childNodes);
    if (focused) document.getElementById(focused)?.focus({preventScroll: true});
  }

  // The page says more after a while, although nothing happens.
  function later(ms) {
    if (ms) setTimeout(() => busy() ? later(1000) : renew().catch(() => {}), Number(ms));
  }

  const live = on => document.documentElement.dataset.live = on ? "on" : "off";

  async function watch() {
    live(true);
    later(main.dataset.renew);
    for (;;) {
      try {
        const answer = await fetch("/_cognate/live?version=" + main.dataset.version);
        const version = await answer.text();
        live(answer.ok);
        if (!answer.ok) await pause(5000);
        else if (version !== main.dataset.version) {
          while (busy()) await pause(500);
          await renew();
        }
      } catch {
        live(false);
        await pause(2000);
      }
      await pause(150);
    }
  }
  watch();
})();
