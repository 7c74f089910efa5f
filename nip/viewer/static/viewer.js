// Live updates, selection, filters, theme and keyboard. Nothing that a run contains is parsed as code:
// fragments come escaped from this server, and values are set as text.
"use strict";
(() => {
  const LIVE_MS = 2000;
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);

  // --- Live updates -------------------------------------------------------------------------
  function keepLive(element) {
    let last = null;
    async function update() {
      if (document.hidden) return;
      try {
        const response = await fetch(element.dataset.live);
        if (!response.ok) return;
        const text = await response.text();
        if (last !== null && text === last || element.contains(document.activeElement) && document.activeElement.matches("input[type=search]")) return;
        if (last !== null) {
          const open = all("details", element).map((each) => each.open);
          const step = all("[data-step]", element).findIndex((each) => each.classList.contains("current"));
          element.innerHTML = text;
          all("details", element).forEach((each, i) => { if (open[i] !== undefined) each.open = open[i]; });
          all("[data-step]", element)[step]?.classList.add("current");
          restoreSelection();
        }
        last = text;
      } catch { /* The server was stopped; the next try may succeed. */ }
    }
    update();
    setInterval(update, LIVE_MS);
  }
  all("[data-live]").forEach(keepLive);

  // A search shows what is indexed so far, until the index is complete. What is being typed is not lost.
  if (one("[data-reload]")) setInterval(() => {
    if (all("input").every((each) => each.value === each.defaultValue)) location.reload();
  }, LIVE_MS);

  // --- Curves -------------------------------------------------------------------------------
  function keepCurves(target) {
    const slider = one("[data-smooth]", target.closest("section") || document);
    let data = null, text = "";
    const redraw = () => data && window.nipCurves.draw(target, data, Number(slider?.value || 0));
    slider?.addEventListener("input", redraw);
    if (!target.dataset.curves) {
      data = JSON.parse(document.getElementById(target.dataset.embedded).textContent);
      redraw();
      return;
    }
    async function update() {
      if (document.hidden && data) return;
      try {
        const response = await fetch(target.dataset.curves);
        const now = await response.text();
        if (response.ok && now !== text) { text = now; data = JSON.parse(now); redraw(); }
      } catch { /* See above. */ }
      if (!data || data.is_live) setTimeout(update, LIVE_MS);
    }
    update();
  }
  all("[data-curves], [data-embedded]").forEach(keepCurves);

  // --- Selection ----------------------------------------------------------------------------
  const chosen = new Set();
  function restoreSelection() {
    const form = one("[data-selection]");
    if (!form) return;
    const boxes = all(`input[name="${form.dataset.selection}"]`, form);
    for (const box of boxes) box.checked = chosen.has(box.value);
    for (const count of all("[data-count]", form)) count.textContent = chosen.size;
    for (const button of all("[data-needs]", form)) button.disabled = chosen.size < Number(button.dataset.needs);
  }
  const selection = one("[data-selection]");
  selection?.addEventListener("change", (event) => {
    if (event.target.name !== selection.dataset.selection) return;
    if (event.target.checked) chosen.add(event.target.value); else chosen.delete(event.target.value);
    restoreSelection();
  });
  if (selection) {
    all(`input[name="${selection.dataset.selection}"]`, selection).filter((box) => box.checked).forEach((box) => chosen.add(box.value));
    restoreSelection();
  }

  // --- Filters ------------------------------------------------------------------------------
  for (const form of all("form[data-filters]")) {
    form.addEventListener("change", (event) => { if (event.target.matches("select")) form.requestSubmit(); });
    form.addEventListener("submit", () => {
      // Empty values would only make the address longer.
      for (const field of all("input, select", form)) if (!field.value) field.disabled = true;
      setTimeout(() => all("input, select", form).forEach((field) => { field.disabled = false; }), 0);
    });
  }
  function filterRows(id) {
    const table = document.getElementById(id);
    const text = (one(`[data-filter-rows="${id}"]`)?.value || "").toLowerCase();
    const changedOnly = one(`[data-only-changed="${id}"]`)?.checked;
    for (const row of all("tbody tr", table)) {
      row.hidden = (changedOnly && !text && !row.classList.contains("differs")) || !row.textContent.toLowerCase().includes(text);
    }
  }
  for (const input of all("[data-filter-rows]")) {
    const id = input.dataset.filterRows;
    input.addEventListener("input", () => filterRows(id));
    one(`[data-only-changed="${id}"]`)?.addEventListener("change", () => filterRows(id));
    filterRows(id);
  }

  // --- Theme and help -----------------------------------------------------------------------
  function toggleTheme() {
    const root = document.documentElement;
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    try { localStorage.setItem("nip-theme", root.dataset.theme); } catch { /* Only for this page then. */ }
  }
  const help = one("dialog.help");
  one("[data-theme-toggle]")?.addEventListener("click", toggleTheme);
  one("[data-help]")?.addEventListener("click", () => help.showModal());

  // --- Keyboard -----------------------------------------------------------------------------
  function move(by) {
    const steps = all("[data-step]").filter((each) => each.offsetParent !== null);
    if (!steps.length) return;
    const now = steps.findIndex((each) => each.classList.contains("current"));
    const next = now < 0 ? (by > 0 ? 0 : steps.length - 1) : Math.min(steps.length - 1, Math.max(0, now + by));
    steps[now]?.classList.remove("current");
    steps[next].classList.add("current");
    steps[next].scrollIntoView({ block: "nearest" });
  }
  const click = (element) => element && (element.click(), true);
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    Enter: () => click(one(".current [data-open], .current[data-open]")),
    x: () => click(one(".current input[type=checkbox]")),
    "[": () => click(one("a[rel=prev]")),
    "]": () => click(one("a[rel=next]")),
    u: () => click(one("[data-up]")),
    t: toggleTheme,
    "?": () => help?.showModal(),
    "/": () => (one("[data-search]") || one("[data-quick-search]"))?.focus(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help?.open) return;
    if (event.target.matches("input, select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "Enter" && event.target.matches("a, button, summary")) return;
    const action = keys[event.key] || (/^[0-9]$/.test(event.key) && (() => click(one(`[data-key="${event.key}"]`))));
    if (!action) return;
    event.preventDefault();
    action();
  });
})();
