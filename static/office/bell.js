/* The bell at the top of every page: asks every half minute, every four seconds while it is open and something runs. */
(() => {
  "use strict";
  const SHAPES = { red: "error", amber: "schedule" };

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function entry(url, title, small, colour) {
    const link = element("a", `k-bell-entry${colour ? ` k-${colour}` : ""}`);
    link.href = url;
    if (colour) {
      const icon = element("span", "material-symbols-outlined", SHAPES[colour] || "error");
      icon.setAttribute("aria-hidden", "true");
      link.append(icon);
    }
    const words = element("span", "k-bell-words");
    words.append(element("span", "", title), element("span", "k-small k-quiet", small));
    link.append(words);
    return link;
  }

  function fill(box, entries) {
    if (!box) return; // a half that the reader may not see
    box.replaceChildren(...(entries.length ? entries : [element("p", "k-quiet k-small", box.dataset.kNone)]));
  }

  function bar(percent) {
    const outer = element("span", "k-bar");
    const inner = element("span", "k-bar-in");
    inner.style.width = `${percent}%`;
    inner.style.display = "block";
    outer.style.display = "block";
    outer.append(inner);
    return outer;
  }

  function show(bell, now) {
    const unread = bell.querySelector("[data-k-unread]");
    unread.hidden = now.unread === 0;
    unread.textContent = now.unread > 99 ? "99+" : String(now.unread);
    bell.querySelector("[data-k-running]").hidden = now.running === 0;
    fill(bell.querySelector("[data-k-list]"), now.problems.map((one) => entry(one.url, one.title, one.clients, one.colour)));
    fill(bell.querySelector("[data-k-runs]"), now.runs.map((one) => {
      const made = entry(one.url, one.title, one.text, "");
      if (one.percent !== null) made.querySelector(".k-bell-words").append(bar(one.percent));
      return made;
    }));
  }

  function follow(bell) {
    let timer = 0;
    async function ask() {
      window.clearTimeout(timer);
      let wait = 30000;
      try {
        const answer = await fetch(bell.dataset.kBell, { headers: { Accept: "application/json" } });
        if (answer.redirected || !answer.ok) throw new Error(String(answer.status));
        const now = await answer.json();
        show(bell, now);
        if (bell.open && now.running) wait = 4000;
      } catch {
        wait = 120000;
      }
      timer = window.setTimeout(ask, wait);
    }
    bell.addEventListener("toggle", async () => {
      if (!bell.open) { ask(); return; }
      await fetch(bell.dataset.kLooked, { method: "POST", headers: { "X-CSRFToken": bell.dataset.kToken } }).catch(() => null);
      ask();
    });
    document.addEventListener("click", (event) => { if (bell.open && !bell.contains(event.target)) bell.open = false; });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && bell.open) { bell.open = false; bell.querySelector("summary").focus(); } });
    ask();
  }

  document.addEventListener("DOMContentLoaded", () => { document.querySelectorAll("[data-k-bell]").forEach(follow); });
})();
