/* Progress without reloading, placeholders shown as they will be sent, and a question before what cannot be undone. */
(() => {
  "use strict";
  const EVERY = 2000;

  function showState(state) {
    const badge = document.querySelector("[data-k-state]");
    if (!badge) return;
    badge.className = `k-state k-large k-${state.colour}`;
    badge.querySelector("[data-k-sentence]").textContent = state.sentence;
    badge.querySelector("[data-k-icon]").textContent = badge.dataset[`icon${state.colour}`] || "";
  }

  function follow(box) {
    const text = box.querySelector("[data-k-text]");
    const bar = box.querySelector("[data-k-bar]");
    const ended = box.querySelector("[data-k-ended]");
    let failures = 0;
    let seen = box.dataset.kLive === "1";
    async function ask() {
      try {
        const answer = await fetch(box.dataset.kProgress, { headers: { Accept: "application/json" } });
        if (answer.redirected || !answer.ok) throw new Error(String(answer.status));
        const now = await answer.json();
        failures = 0;
        showState(now.state);
        if (now.live) {
          seen = true;
          box.hidden = false;
          text.textContent = now.text;
          bar.style.width = `${now.percent || 4}%`;
        } else {
          bar.style.width = "100%";
          text.textContent = "";
          box.querySelector("[data-k-note]").hidden = true;
          if (seen) ended.hidden = false;
          return;
        }
      } catch {
        failures += 1;
        if (failures > 30) return;
      }
      window.setTimeout(ask, EVERY * Math.min(1 + failures, 5));
    }
    if (seen) ask();
  }

  function becomes(input, values) {
    const shown = document.getElementById(input.dataset.kBecomes);
    if (!shown) return;
    const fill = () => {
      const held = /%[^%\s]+%/.test(input.value);
      shown.hidden = !held;
      const text = input.value.replace(/%([^%\s]*)%/g, (whole, name) => (name === "" ? "%" : values[name] || whole));
      shown.querySelector("[data-k-value]").textContent = text;
    };
    input.addEventListener("input", fill);
    fill();
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-k-progress]").forEach(follow);
    const held = document.getElementById("k-placeholders");
    if (held) {
      const values = JSON.parse(held.dataset.values);
      document.querySelectorAll("[data-k-becomes]").forEach((input) => becomes(input, values));
    }
    document.querySelectorAll("form[data-k-ask]").forEach((form) => {
      form.addEventListener("submit", (event) => {
        if (!window.confirm(form.dataset.kAsk)) event.preventDefault();
      });
    });
    document.querySelectorAll("form[data-k-once]").forEach((form) => {
      form.addEventListener("submit", () => {
        const button = form.querySelector("button[type=submit]");
        if (button) window.setTimeout(() => { button.disabled = true; button.textContent = button.dataset.kBusy || button.textContent; }, 0);
      });
    });
    document.querySelectorAll("[data-k-picks]").forEach((input) => {
      input.addEventListener("input", () => { document.getElementById(input.dataset.kPicks).checked = true; });
    });
  });
})();
