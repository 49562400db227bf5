"use strict";
// The page is complete without this script; it adds sorting, filtering and the choice of a theme.
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const root = document.documentElement;
  root.classList.add("scripted");

  // Theme: auto follows the system.
  const remembered = (() => {
    try { return localStorage.getItem("kdeval-theme"); } catch { return null; }
  })();
  const setTheme = (name) => {
    if (name === "light" || name === "dark") root.dataset.theme = name;
    else delete root.dataset.theme;
    for (const button of all("[data-set-theme]")) {
      button.setAttribute("aria-pressed", String(button.dataset.setTheme === (name || "auto")));
    }
  };
  setTheme(remembered || "auto");
  for (const button of all("[data-set-theme]")) {
    button.addEventListener("click", () => {
      setTheme(button.dataset.setTheme);
      try { localStorage.setItem("kdeval-theme", button.dataset.setTheme); } catch { /* private */ }
    });
  }

  // Tables: a click on a heading sorts by it, another one the other way round; unknown comes last.
  const key = (row, column) => {
    const cell = row.cells[column];
    const value = cell.dataset.value;
    if (value === undefined) return cell.textContent.trim().toLowerCase();
    return value === "" ? null : Number(value);
  };
  const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
  for (const table of all("table.sortable")) {
    const headings = all("thead th", table);
    headings.forEach((heading, column) => {
      const button = heading.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const up = heading.getAttribute("aria-sort") !== "ascending";
        for (const other of headings) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", up ? "ascending" : "descending");
        const body = table.tBodies[0];
        const rows = Array.from(body.rows).map((row) => [key(row, column), row]);
        rows.sort(([a], [b]) => {
          if (a === null || b === null) return (a === null) - (b === null);
          return up ? compare(a, b) : compare(b, a);
        });
        body.append(...rows.map(([, row]) => row));
      });
    });
  }
  for (const field of all("[data-filter-table]")) {
    const table = document.getElementById(field.dataset.filterTable);
    const status = document.getElementById(`${field.id}-status`);
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of table.tBodies[0].rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      status.textContent = words.length ? `${shown} of ${table.tBodies[0].rows.length} rows` : "";
    });
  }

  // Samples: filters, and so many at a time.
  const step = 25;
  for (const browser of all("[data-browser]")) {
    const items = all("details.sample", browser);
    const texts = new Map();
    const text = (item) => {
      if (!texts.has(item)) texts.set(item, item.textContent.toLowerCase());
      return texts.get(item);
    };
    const fields = all("[data-field]", browser);
    const status = browser.querySelector("[data-status]");
    const more = browser.querySelector("[data-more]");
    let limit = step;
    const matches = (item) => fields.every((field) => {
      const wanted = field.value;
      if (!wanted) return true;
      if (field.dataset.field === "text") {
        return wanted.toLowerCase().split(/\s+/).filter(Boolean).every((word) => text(item).includes(word));
      }
      if (field.dataset.field === "slice") return JSON.parse(item.dataset.slices).includes(wanted);
      return item.dataset[field.dataset.field] === wanted;
    });
    const update = () => {
      let found = 0;
      for (const item of items) {
        const match = matches(item);
        found += match ? 1 : 0;
        item.hidden = !match || found > limit;
      }
      const shown = Math.min(found, limit);
      status.textContent = found
        ? `${shown.toLocaleString("en")} of ${found.toLocaleString("en")} samples that match`
        : "No sample in this file matches.";
      more.hidden = found <= limit;
    };
    for (const field of fields) {
      field.addEventListener("input", () => { limit = step; update(); });
    }
    more.addEventListener("click", () => { limit += step; update(); });
    browser.addEventListener("kdeval:choose", (event) => {
      for (const field of fields) field.value = event.detail[field.dataset.field] || "";
      limit = step;
      update();
    });
    update();
  }
  // A cell of a flip table leads to its samples.
  for (const link of all("a[data-choose]")) {
    link.addEventListener("click", () => {
      const browser = document.querySelector(link.getAttribute("href"));
      browser.dispatchEvent(new CustomEvent("kdeval:choose", { detail: { ...link.dataset } }));
    });
  }

  // Footnotes and rules that are folded away are printed all the same.
  const opened = [];
  addEventListener("beforeprint", () => {
    for (const item of all("details.fold:not([open])")) { item.open = true; opened.push(item); }
  });
  addEventListener("afterprint", () => { for (const item of opened.splice(0)) item.open = false; });
})();
