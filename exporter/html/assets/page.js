// What pages do in addition if scripts run. Each page is complete without it.
"use strict";

// Target

/** Makes tabs of sections that are one below the other. A choice counts for all tabs of the page. */
function makeTabs(within) {
  for (const box of within.querySelectorAll("[data-tabs]")) {
    const panels = [...box.querySelectorAll(":scope > [data-tab]")];
    if (panels.length < 2) continue;
    const list = document.createElement("div");
    list.setAttribute("role", "tablist");
    list.setAttribute("aria-label", "Server");
    const tabs = panels.map((panel) => {
      const tab = document.createElement("button");
      const heading = panel.querySelector("h1, h2, h3, h4, h5, h6");
      tab.type = "button";
      tab.id = `tab-${(makeTabs.made = (makeTabs.made || 0) + 1)}`;
      tab.textContent = heading.textContent;
      heading.hidden = true;
      panel.id = `panel-of-${tab.id}`;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", panel.id);
      tab.dataset.server = panel.dataset.tab;
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", tab.id);
      panel.tabIndex = 0;
      tab.addEventListener("click", () => chooseTabs(tab.dataset.server));
      list.append(tab);
      return tab;
    });
    list.addEventListener("keydown", (event) => {
      const place = tabs.indexOf(document.activeElement);
      const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (place < 0 || next === undefined) return;
      event.preventDefault();
      const tab = tabs[(next + tabs.length) % tabs.length];
      chooseTabs(tab.dataset.server);
      tab.focus();
    });
    box.prepend(list);
    selectTab(box, makeTabs.chosen) || selectTab(box, panels[0].dataset.tab);
  }
}

/** Selects this server in one box; false if the box has no such tab. */
function selectTab(box, server) {
  const tabs = [...box.querySelectorAll(":scope > [role=tablist] > [role=tab]")];
  if (!tabs.some((tab) => tab.dataset.server === server)) return false;
  for (const tab of tabs) {
    const selected = tab.dataset.server === server;
    tab.setAttribute("aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !selected;
  }
  return true;
}

function chooseTabs(server) {
  makeTabs.chosen = server;
  for (const box of document.querySelectorAll("[data-tabs]")) selectTab(box, server);
}

/** Copies the lines next to a button. Without the clipboard (a page by http) they are selected and copied. */
function makeCopyButtons(within) {
  for (const button of within.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const lines = button.parentElement.querySelector("pre");
      let copied = true;
      try {
        await navigator.clipboard.writeText(lines.textContent);
      } catch {
        getSelection().selectAllChildren(lines);
        copied = document.execCommand("copy");
      }
      button.textContent = copied ? "Copied" : "Selected";
      setTimeout(() => (button.textContent = "Copy"), 3000);
    });
  }
}

const SCAN_POLLS = 900; // a second each
const SCAN_WORDS = { queued: "Waits for its turn…", running: "The scan runs…" };

/** Asks for a scan, says how far it is, and shows what it found. */
function makeScanButton(within) {
  for (const box of within.querySelectorAll("[data-scan]")) {
    const button = box.querySelector("button");
    const status = box.querySelector("[role=status]");
    box.hidden = false;
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        await scanNow(box.dataset, (text) => (status.textContent = text));
      } catch (error) {
        status.textContent = error instanceof TypeError ? "The exporter cannot be reached." : error.message;
        button.disabled = false;
      }
    });
  }
}

async function scanNow({ scan, scans }, say) {
  say("Asks for a scan…");
  let data = await askApi(scan, "POST");
  for (let polls = 0; data.state === "queued" || data.state === "running"; polls++) {
    if (polls === SCAN_POLLS) throw new Error("The scan has not ended yet. Load the page again later.");
    say(SCAN_WORDS[data.state]);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    data = await askApi(scans + encodeURIComponent(data.id), "GET");
  }
  if (data.state !== "done") throw new Error("The scan has no result: the target was changed or removed, or the scan failed.");
  await renewContent();
  const status = document.querySelector("[data-scan] [role=status]");
  if (status) status.textContent = data.success ? "Scanned just now." : "Scanned just now. The scan was not complete.";
}

/** The data of an answer of the API. */
async function askApi(path, method) {
  const answer = await fetch(path, { method, headers: { Accept: "application/json" } });
  let document = {};
  try {
    document = await answer.json();
  } catch {
    // not of the API, as from a proxy in front of it
  }
  if (answer.ok && document.data) return document.data;
  const wait = answer.headers.get("Retry-After");
  throw new Error((document.error || `The answer has status ${answer.status}.`) + (wait ? ` Try again in ${wait} s.` : ""));
}

/** Loads the page again and puts its content in the place of what is shown. */
async function renewContent() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  const loaded = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  if (!answer.ok || !loaded) throw new Error("The page cannot be loaded again.");
  document.querySelector("main").replaceWith(loaded);
  enhanceTarget(loaded);
}

/** All that is folded is printed. */
function openForPrint() {
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of opened) one.open = false;
  });
}

function enhanceTarget(within) {
  makeTabs(within);
  makeCopyButtons(within);
  makeScanButton(within);
}

enhanceTarget(document);
openForPrint();

// Parts of a page that are replaced by those of the same page as it is now: `data-live` and an `id`. What the reader is
// doing stays: focus, scrolled boxes, opened details, and marked text.
const livePage = {
  running: null,

  // Loads the page and replaces its parts. Returns whether that worked; null if another load has taken its place.
  async load(url, { keepMarked = false } = {}) {
    this.running?.abort();
    const own = (this.running = new AbortController());
    try {
      const answer = await fetch(url, { signal: own.signal, headers: { Accept: "text/html" } });
      if (answer.status !== 200 && answer.status !== 400) return false;
      const text = await answer.text();
      if (own.signal.aborted) return null;
      this.replace(new DOMParser().parseFromString(text, "text/html"), keepMarked);
      return true;
    } catch {
      return own.signal.aborted ? null : false;
    } finally {
      if (this.running === own) this.running = null;
    }
  },

  replace(fresh, keepMarked) {
    for (const old of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(old.id);
      if (!next || next.innerHTML === old.innerHTML || (keepMarked && this.isMarked(old))) continue;
      const restore = this.remember(old);
      old.replaceChildren(...document.importNode(next, true).childNodes);
      restore();
    }
  },

  isMarked(part) {
    const marked = document.getSelection();
    return marked !== null && !marked.isCollapsed && marked.containsNode(part, true);
  },

  remember(part) {
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const find = focused && this.finder(part, focused);
    const opened = [...part.querySelectorAll("details[id][open]")].map((one) => one.id);
    const boxes = [...part.querySelectorAll(".scroll")].map((one) => [one.scrollLeft, one.scrollTop]);
    return () => {
      for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
      part.querySelectorAll(".scroll").forEach((one, at) => {
        [one.scrollLeft, one.scrollTop] = boxes[at] ?? [0, 0];
      });
      if (find) find()?.focus({ preventScroll: true });
    };
  },

  // A function that finds this element again among new ones: by its id, or by where it leads and how it is named.
  finder(part, element) {
    if (element.id) return () => document.getElementById(element.id);
    const key = (one) => `${one.tagName} ${one.getAttribute("href")} ${one.textContent}`;
    const alike = () => [...part.querySelectorAll(element.tagName)].filter((one) => key(one) === wanted);
    const wanted = key(element);
    const place = alike().indexOf(element);
    return () => alike()[place];
  },
};

// A form `data-filter` shows its result without a click: texts while they are typed, all else when it is chosen.
function filterAtOnce(form) {
  const wait = 300;
  let timer;
  let query = location.search;
  const show = async (record) => {
    clearTimeout(timer);
    const url = new URL(form.action);
    for (const [name, value] of new FormData(form)) if (value !== "") url.searchParams.append(name, value);
    if (url.href === location.href) return;
    history[record](null, "", url);
    query = location.search;
    if ((await livePage.load(url)) === false) location.assign(url);
  };
  form.addEventListener("input", (event) => {
    if (event.target.type !== "search") return;
    clearTimeout(timer);
    timer = setTimeout(show, wait, "replaceState");
  });
  form.addEventListener("change", (event) => {
    if (event.target.type !== "search") show("pushState");
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show("pushState");
  });
  addEventListener("popstate", () => {
    if (location.search !== query) location.reload(); // else only the fragment changed, as by the skip link
  });
}

// `data-refresh` is a number of seconds after which the page is loaded again while it is visible, with a switch.
function refreshRegularly(line) {
  const seconds = Number(line.dataset.refresh);
  const note = document.createElement("span");
  const button = document.createElement("button");
  let isOn = remembered() !== "off";
  let last = Date.now();
  button.type = "button";
  note.className = "on-screen";
  line.append(note, button);

  function remembered(value) {
    try {
      if (value) localStorage.setItem("refresh", value);
      return localStorage.getItem("refresh");
    } catch {
      return null; // storage is turned off
    }
  }
  function label() {
    note.textContent = isOn ? `refreshed every ${seconds} s` : "not refreshed";
    button.textContent = isOn ? "Stop refreshing" : "Refresh";
  }
  async function refresh() {
    if (document.hidden || livePage.running || Date.now() - last < seconds * 1000) return;
    last = Date.now();
    const done = await livePage.load(location.href, { keepMarked: true });
    if (done === false) note.textContent = "could not be refreshed: the exporter did not answer";
    else if (done) label();
  }
  button.addEventListener("click", () => {
    isOn = !isOn;
    remembered(isOn ? "on" : "off");
    label();
    if (isOn) {
      last = 0;
      refresh();
    }
  });
  label();
  setInterval(() => isOn && refresh(), 1000);
  document.addEventListener("visibilitychange", () => isOn && refresh());
}

document.querySelectorAll("form[data-filter]").forEach(filterAtOnce);
document.querySelectorAll("[data-refresh]").forEach(refreshRegularly);
