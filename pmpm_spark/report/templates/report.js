"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const pages = [...document.querySelectorAll(".page")];
  const say = (text) => { document.getElementById("said").textContent = text; };

  // pages: one at a time, by the part of the address after #
  const show = (isFirst) => {
    const at = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const page = (at && at.closest(".page")) || pages[0];
    for (const one of pages) one.classList.toggle("shown", one === page);
    for (const link of document.querySelectorAll("nav a")) {
      if (link.hash === "#" + page.id) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
    }
    const go = document.getElementById("go");
    go.value = [...go.options].some((option) => option.value === page.id) ? page.id : "";
    if (!isFirst) { page.querySelector("h1").focus({ preventScroll: true }); window.scrollTo(0, 0); }
  };
  document.documentElement.classList.add("paged");
  window.addEventListener("hashchange", () => show(false));
  document.getElementById("go").addEventListener("change", (event) => { if (event.target.value) location.hash = event.target.value; });

  // tables: what is left out stays at the end
  const sort = (table, place, up) => {
    const body = table.tBodies[0];
    const missing = ["left out", "–", ""];
    const value = (row) => { const text = row.cells[place].textContent.trim(); return missing.includes(text) ? "" : text; };
    const plain = (text) => text.replace(/[$,%+]/g, "").replace("−", "-");
    const numbers = [...body.rows].every((row) => !Number.isNaN(Number(plain(value(row)))));
    const order = (a, b) => (numbers ? Number(plain(a)) - Number(plain(b)) : a.localeCompare(b));
    const rows = [...body.rows].sort((a, b) => {
      const [one, other] = [value(a), value(b)];
      if (one === "" || other === "") return (one === "") - (other === "");
      return up ? order(one, other) : order(other, one);
    });
    body.append(...rows);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => head.querySelector("button").addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      sort(table, place, up);
      say(`${table.caption.textContent}: sorted by ${head.textContent}, ${up ? "lowest" : "highest"} first`);
    }));
  }

  // the comparison of two networks; a name is kept apart from the sentence that it stands in, whatever its direction
  const apart = (name) => `\u2068${name}\u2069`;
  const money = (value) => (value === null ? "left out"
    : (value < 0 ? "−$" : "$") + Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 }));
  const number = (places) => (value) => (value === null ? "left out"
    : value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places }).replace("-", "−"));
  const less = (a, b) => (a === null || b === null ? null : a - b);
  const [one, other] = ["one", "other"].map((id) => document.getElementById(id));
  const row = (body, cells) => {
    const line = body.insertRow();
    cells.forEach((text, place) => {
      const cell = document.createElement(place ? "td" : "th");
      if (place === 0) cell.scope = "row";
      cell.textContent = text;
      if (text === "left out") cell.classList.add("left-out");
      line.append(cell);
    });
  };
  const emptied = (id) => { const body = document.getElementById(id).tBodies[0]; body.replaceChildren(); return body; };
  const compare = () => {
    const a = data.networks[one.value], b = data.networks[other.value];
    document.getElementById("name-one").textContent = a.name;
    document.getElementById("name-other").textContent = b.name;
    const body = emptied("compared");
    const figures = [["Members", "members", number(0)], ["Member months", "member_months", number(0)], ["PMPM", "pmpm", money],
      ["Normalized risk", "risk", number(3)], ["Adjusted PMPM", "adjusted_pmpm", money]];
    for (const [said, name, form] of figures) row(body, [said, form(a[name]), form(b[name]), form(less(a[name], b[name]))]);
    const split = emptied("split");
    for (const category of data.categories) {
      const none = { pmpm: 0, per_1000: 0 };
      const [of_a, of_b] = [a.categories[category] || none, b.categories[category] || none];
      row(split, [category, money(of_a.pmpm), money(of_b.pmpm), money(less(of_a.pmpm, of_b.pmpm)),
        number(1)(of_a.per_1000), number(1)(of_b.per_1000)]);
    }
    const [straight, back] = [data.pairs[`${one.value}|${other.value}`], data.pairs[`${other.value}|${one.value}`]];
    const found = straight || back, sign = straight ? 1 : -1;
    const difference = less(a.adjusted_pmpm, b.adjusted_pmpm);
    let verdict = "";
    if (one.value === other.value) verdict = "Choose two different networks.";
    else if (difference === null) verdict = "The difference is left out: a figure of one of the networks is.";
    else {
      const ends = found && found.low !== null ? [sign * found.low, sign * found.high].sort((x, y) => x - y) : null;
      verdict = `For like patients ${apart(a.name)} costs ${money(Math.abs(difference))} ${difference < 0 ? "less" : "more"} per member per month than ${apart(b.name)}.`;
      if (!ends) verdict += " The run has no interval for these two: the difference may be chance.";
      else {
        verdict += ` With 95% confidence the difference lies between ${money(ends[0])} and ${money(ends[1])}: `
          + (ends[0] <= 0 && ends[1] >= 0 ? "it may be chance." : "it is more than chance.");
      }
    }
    document.getElementById("verdict").textContent = verdict;
    const drivers = emptied("drivers"), parts = (found && found.parts) || [];
    const lines = new Map();  // by category: what use and cost of a service add; of the whole: what it adds
    for (const [place, amount] of parts) {
      const [kind, name] = data.parts[place];
      const line = lines.get(name) || { name, USE: 0, COST_PER_SERVICE: 0, whole: 0, isWhole: kind === "" };
      line[kind || "whole"] = amount === null ? null : sign * amount;
      lines.set(name, line);
    }
    const together = (line) => (line.isWhole ? line.whole
      : line.USE === null || line.COST_PER_SERVICE === null ? null : line.USE + line.COST_PER_SERVICE);
    const size = (line) => { const amount = together(line); return amount === null ? -1 : Math.abs(amount); };
    for (const line of [...lines.values()].sort((x, y) => size(y) - size(x))) {
      row(drivers, [line.name, line.isWhole ? "–" : money(line.USE), line.isWhole ? "–" : money(line.COST_PER_SERVICE), money(together(line))]);
    }
    if (lines.size) row(drivers, ["all together", "–", "–", money(difference)]);
    document.getElementById("sources-of-difference").hidden = parts.length === 0 || one.value === other.value;
  };
  Object.entries(data.networks).forEach(([id, network]) => {
    for (const select of [one, other]) select.add(new Option(network.name, id));
  });
  if (one.options.length) {
    other.selectedIndex = Math.min(1, other.options.length - 1);
    one.addEventListener("change", compare);
    other.addEventListener("change", compare);
    compare();
  }
  show(true);
})();
