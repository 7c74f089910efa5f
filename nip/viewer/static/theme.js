// Applies the chosen theme before the page is drawn. Without a choice, the system decides.
"use strict";
(() => {
  const stored = (() => { try { return localStorage.getItem("nip-theme"); } catch { return null; } })();
  if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
})();
