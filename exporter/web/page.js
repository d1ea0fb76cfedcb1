"use strict";
// The page renews itself in place. While the exporter does not answer it keeps what it has and says that this is old:
// a reload would leave the browser's own error page, for ever.
(() => {
  const stale = document.getElementById("stale");
  let timer = 0;

  const take = (fresh) => {
    const old = document.querySelector("main");
    for (const details of old.querySelectorAll("details[open]")) {
      fresh.getElementById(details.id)?.setAttribute("open", "");
    }
    const focused = document.activeElement?.closest("details")?.id;
    old.replaceWith(fresh.querySelector("main"));
    if (focused) document.querySelector(`#${focused} > summary`)?.focus({ preventScroll: true });
    document.title = fresh.title;
    document.querySelector("link[rel=icon]").href = fresh.querySelector("link[rel=icon]").href;
  };

  const renew = async () => {
    clearTimeout(timer);
    const copying = !getSelection().isCollapsed; // a replaced text loses its selection
    if (!document.hidden && !copying) {
      try {
        const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10000) });
        if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
        take(new DOMParser().parseFromString(await answer.text(), "text/html"));
        stale.hidden = true;
      } catch {
        stale.hidden = false;
      }
    }
    later();
  };

  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(renew, 1000 * document.querySelector("main").dataset.refresh);
  };

  document.addEventListener("visibilitychange", renew);
  later();
})();
