"use strict";
// Everything shown is set as text (textContent), never as markup: names and paths come from manifests.

const byId = (id) => document.getElementById(id);
let routes = [], truncated = false;

async function load(path) {
  const response = await fetch(path, { cache: "no-store" });
  if (!response.ok) throw new Error(path + ": " + response.status + " " + (await response.text()).trim());
  return response.json();
}

function fill(id, rows, none) {
  const body = byId(id).querySelector("tbody");
  const columns = byId(id).querySelectorAll("th").length;
  body.replaceChildren(...(rows.length ? rows : [null]).map((cells) => {
    const tr = document.createElement("tr");
    if (!cells) {
      const td = document.createElement("td");
      td.colSpan = columns;
      td.className = "none";
      td.textContent = none;
      tr.append(td);
      return tr;
    }
    for (const text of cells) {
      const td = document.createElement("td");
      td.textContent = text;
      tr.append(td);
    }
    return tr;
  }));
}

function facts(pairs) {
  byId("facts").replaceChildren(...pairs.map(([name, value]) => {
    const div = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = name;
    dd.textContent = value;
    div.append(dt, dd);
    return div;
  }));
}

function state(text, kind) {
  byId("state").textContent = text;
  byId("state").className = kind;
}

const milliseconds = (seconds) => (seconds * 1000).toFixed(1) + " ms";

function showRoutes() {
  const needle = byId("filter").value.trim().toLowerCase();
  const shown = routes.filter((r) => !needle || [r.host, r.path, r.ingress, r.backend].join(" ").toLowerCase().includes(needle));
  byId("routes-count").textContent = shown.length + (truncated ? " of the first " : " of ") + routes.length;
  fill("routes", shown.map((r) => [
    r.host || "*", r.default ? "(default)" : r.path, r.type, r.ingress || "", r.backend || "unresolved: 503",
  ]), "none");
}

async function refresh() {
  try {
    const [status, snapshot, rejections] = await Promise.all([
      load("api/v1/status"), load("api/v1/snapshot"), load("api/v1/rejections"),
    ]);
    state(status.ready ? "ready" : "not ready: " + status.reason, status.ready ? "good" : "bad");
    facts([
      ["Version", status.version || "unknown"], ["Generation", status.generation], ["Hosts", snapshot.hosts],
      ["Routes", snapshot.routes], ["Backends", snapshot.backends], ["Endpoints", snapshot.endpoints],
      ["Last build", milliseconds(status.build_seconds)], ["Live since", status.published || "never"],
      ["Source", status.connected ? "connected" : "out of reach: the last state is served"],
      ["Configuration", status.reload_ok ? "valid" : "last reload failed"],
    ]);
    byId("rejections-count").textContent = rejections.length;
    fill("rejections", rejections.slice(0, 1000).map((r) => [
      r.kind + " " + (r.namespace ? r.namespace + "/" : "") + r.name, r.field || "", r.value || "", r.reason,
    ]), "Every object is served as written.");
    routes = snapshot.route_list;
    truncated = snapshot.truncated;
    showRoutes();
    byId("backends-count").textContent = snapshot.backends;
    fill("backends", snapshot.backend_list.map((b) => [
      b.name, b.protocol, b.balance, b.external_name || b.endpoints.map((e) => e.address).join(" ") || "none ready: 503",
    ]), "none");
  } catch (error) {
    state("no answer: " + error.message, "bad");
  }
  setTimeout(refresh, 5000);
}

byId("filter").addEventListener("input", showRoutes);
byId("explain").addEventListener("submit", async (event) => {
  event.preventDefault();
  const out = byId("explanation");
  out.hidden = false;
  try {
    out.textContent = (await load("api/v1/explain?" + new URLSearchParams(new FormData(event.target)))).text;
  } catch (error) {
    out.textContent = error.message;
  }
});
refresh();
