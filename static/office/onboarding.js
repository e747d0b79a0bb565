/* Ticking companies: search, all that are shown, how many. And the progress of a batch, line by line. */
(() => {
  "use strict";
  const EVERY = 2000;

  function choose(form) {
    const rows = Array.from(form.querySelectorAll("[data-k-row]"), (row) => ({
      row,
      box: row.querySelector("input[type=checkbox]"),
      text: row.textContent.toLowerCase().replace(/\s+/g, " "),
    }));
    const all = form.querySelector("[data-k-all]");
    const shown = () => rows.filter((one) => one.box && !one.row.hidden);
    const count = () => {
      const ticked = rows.filter((one) => one.box && one.box.checked).length;
      form.querySelector("[data-k-count]").textContent = String(ticked);
      const button = form.querySelector("button[type=submit]");
      if (button) button.disabled = ticked === 0;
      if (all) all.checked = shown().length > 0 && shown().every((one) => one.box.checked);
    };
    form.querySelector("[data-k-search]").addEventListener("input", (event) => {
      const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
      // a short word starts one of the row's, or every number would have it
      const has = (text, word) => (word.length < 3 ? ` ${text}`.includes(` ${word}`) : text.includes(word));
      rows.forEach((one) => { one.row.hidden = !words.every((word) => has(one.text, word)); });
      count();
    });
    form.querySelector("[data-k-search]").addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
    if (all) all.addEventListener("change", () => { shown().forEach((one) => { one.box.checked = all.checked; }); count(); });
    form.addEventListener("change", (event) => { if (event.target !== all) count(); });
    count();
  }

  function badge(colour, shape, word) {
    const state = document.createElement("span");
    state.className = `k-state k-${colour}`;
    const icon = document.createElement("span");
    icon.className = "material-symbols-outlined";
    icon.setAttribute("aria-hidden", "true");
    icon.textContent = shape;
    const text = document.createElement("span");
    text.textContent = word;
    state.append(icon, text);
    return state;
  }

  function showLine(line) {
    const row = document.getElementById(`line-${line.id}`);
    if (!row) return;
    row.querySelector("[data-k-badge]").replaceChildren(badge(line.colour, line.icon, line.word));
    row.querySelector("[data-k-done]").textContent = line.text;
    if (line.number) row.querySelector("[data-k-number]").textContent = line.number;
  }

  function follow(box) {
    let seen = 0;
    let failures = 0;
    async function ask() {
      try {
        const answer = await fetch(`${box.dataset.kOnboarding}?seen=${seen}`, { headers: { Accept: "application/json" } });
        if (answer.redirected || !answer.ok) throw new Error(String(answer.status));
        const now = await answer.json();
        failures = 0;
        seen = now.seen;
        box.querySelector("[data-k-text]").textContent = now.text;
        box.querySelector("[data-k-bar]").style.width = `${Math.max(4, now.percent)}%`;
        now.lines.forEach(showLine);
        const counts = document.querySelector("[data-k-counts]");
        if (counts) counts.textContent = now.counts;
        if (!now.live) { window.location.reload(); return; }
      } catch {
        failures += 1;
        if (failures > 30) return;
      }
      window.setTimeout(ask, EVERY * Math.min(1 + failures, 5));
    }
    ask();
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-k-choose]").forEach(choose);
    document.querySelectorAll("[data-k-onboarding]").forEach(follow);
  });
})();
