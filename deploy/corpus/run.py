#!/usr/bin/env python3
"""Replays the corpus against a gateway and compares what comes out of it, on both sides.

    python3 run.py --sluice /path/to/sluice [--only GROUP|ID ...] [--json OUT]
    python3 run.py --list                        the scenarios, without running anything
    ... --exact                                  without the stricter answers that are accepted instead
    ... --tag T, --without-tag T                 only, or all but, scenarios with that tag

One echo backend (HTTP/1.1, plain and TLS) answers for every Service: each endpoint of each Service has
an address of its own on loopback, and what arrives there is recorded. Requests are written byte by byte,
so nothing normalises a header or a path. Exit status 0 only when every expectation holds.
The format of the scenarios is in README.md. Python 3.9+ and PyYAML.
"""
import argparse
import base64
import collections
import concurrent.futures
import copy
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

import yaml

try:
    Loader = yaml.CSafeLoader
except AttributeError:
    Loader = yaml.SafeLoader

HERE = os.path.dirname(os.path.abspath(__file__))
CLASS = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "nginx"},
         "spec": {"controller": "k8s.io/ingress-nginx"}}
CONFIGMAP = ("ingress-nginx", "controller")


# --- the echo backend ---------------------------------------------------------------------------

class Echo:
    """Answers on every address of loopback; the address a connection was made to names the endpoint."""

    def __init__(self):
        self.lock = threading.Lock()
        self.endpoints = {}                      # address -> (namespace, service, index, rules)
        self.records = collections.defaultdict(list)
        self.counts = collections.Counter()      # requests an endpoint got, for rules with "nth"
        self.plain = self.listen(None)
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(os.path.join(HERE, "pki/backend.crt"), os.path.join(HERE, "pki/backend.key"))
        ctx.verify_mode = ssl.CERT_OPTIONAL
        ctx.load_verify_locations(os.path.join(HERE, "pki/ca.crt"))
        ctx.sni_callback = lambda sock, name, _: setattr(sock, "sni_name", name)
        self.tls = self.listen(ctx)
        s = socket.socket()
        s.bind(("0.0.0.0", 0))                   # bound, never listening: connections are refused
        self.refusing, self.refuser = s.getsockname()[1], s

    def listen(self, ctx):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("0.0.0.0", 0))
        s.listen(512)
        threading.Thread(target=self.accept, args=(s, ctx), daemon=True).start()
        return s.getsockname()[1]

    def accept(self, s, ctx):
        while True:
            c, _ = s.accept()
            threading.Thread(target=self.serve, args=(c, ctx), daemon=True).start()

    def serve(self, c, ctx):
        try:
            address = c.getsockname()[0]
            c.settimeout(120)
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sni = None
            if ctx:
                c = ctx.wrap_socket(c, server_side=True)
                sni = getattr(c, "sni_name", None)
            f = c.makefile("rb")
            while self.one(c, f, address, bool(ctx), sni):
                pass
        except (OSError, ssl.SSLError, ValueError):
            pass
        finally:
            try:
                c.close()
            except OSError:
                pass

    def one(self, c, f, address, tls, sni):
        if f.peek(1)[:1] == b"\x16":             # a TLS client on the plain port
            c.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return False
        line = f.readline(65536)
        if not line:
            return False
        method, target, version = line.decode("latin-1").rstrip("\r\n").split(" ", 2)
        headers = []
        while True:
            h = f.readline(65536).decode("latin-1").rstrip("\r\n")
            if not h:
                break
            k, _, v = h.partition(":")
            headers.append((k, v.strip()))
        get = lambda name: next((v for k, v in headers if k.lower() == name), None)
        with self.lock:
            ns, svc, index, rules = self.endpoints.get(address, ("?", address, 0, []))
            self.counts[address] += 1
            nth = self.counts[address]
        if (get("expect") or "").lower() == "100-continue":
            c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        record = {"namespace": ns, "service": svc, "endpoint": index, "address": address, "method": method,
                  "path": target, "version": version, "headers": headers, "size": 0, "framing": "none",
                  "body": "", "tls": tls, "sni": sni, "time": time.time(),
                  "client_cert": bool(tls and c.getpeercert(True))}
        with self.lock:
            self.records[get("x-corpus-id") or "?"].append(record)
        size, body = 0, b""
        if (get("transfer-encoding") or "").lower() == "chunked":
            framing = "chunked"
            while True:
                n = int(f.readline(100).split(b";")[0], 16)
                chunk = f.read(n)
                size += len(chunk)
                body = (body + chunk)[:65536]
                f.readline(100)
                if n == 0:
                    break
        else:
            framing = "length" if get("content-length") is not None else "none"
            left = int(get("content-length") or 0)
            while left:
                chunk = f.read(min(left, 65536))
                if not chunk:
                    return False
                left -= len(chunk)
                size += len(chunk)
                if len(body) < 65536:
                    body += chunk
        record.update(size=size, framing=framing, body=body.decode("latin-1"))
        rule = next((r for r in rules if self.matches(r.get("when") or {}, record, nth)), {})
        return self.answer(c, rule, record, method)

    @staticmethod
    def matches(when, record, nth):
        for k, v in when.items():
            if k == "path" and not re.search(v, record["path"]):
                return False
            if k == "method" and record["method"] != v:
                return False
            if k == "endpoint" and record["endpoint"] != v:
                return False
            if k == "nth" and nth != v:
                return False
            if k == "header":
                for name, pattern in v.items():
                    if not any(n.lower() == name.lower() and re.search(pattern, x) for n, x in record["headers"]):
                        return False
        return True

    def answer(self, c, rule, record, method):
        if rule.get("delay"):
            time.sleep(rule["delay"])
        if rule.get("close") == "reset":
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if rule.get("close") is True:
            return False
        status = rule.get("status", 200)
        headers = [(k, v) for k, v in rule.get("headers", [])]
        if rule.get("header_bytes"):
            headers.append(("X-Large", "x" * rule["header_bytes"]))
        if "body" in rule:
            body = rule["body"].encode()
        elif "size" in rule:
            body = b"0123456789abcdef" * (rule["size"] // 16) + b"x" * (rule["size"] % 16)
        else:
            shown = {k: record[k] for k in ("namespace", "service", "endpoint", "method", "path", "size")}
            body = (json.dumps(shown) + "\n").encode()
        if not any(k.lower() == "content-type" for k, _ in headers) and status not in (101, 204, 304):
            headers.append(("Content-Type", "application/json" if "body" not in rule and "size" not in rule
                            else "text/plain"))
        if status in (101, 204, 304):
            body = b""
        else:
            headers.append(("Content-Length", str(len(body))))
        head = "HTTP/1.1 %d %s\r\n" % (status, rule.get("reason", "Status"))
        head += "".join("%s: %s\r\n" % h for h in headers) + "\r\n"
        c.sendall(head.encode("latin-1"))
        if rule.get("stall"):                    # the head now, the body later
            time.sleep(rule["stall"])
        if method != "HEAD":
            c.sendall(body)
        if status == 101:
            data = c.recv(4096)
            while data:
                c.sendall(data)
                data = c.recv(4096)
            return False
        return not rule.get("last")


# --- requests -----------------------------------------------------------------------------------

class Response:
    def __init__(self):
        self.status, self.headers, self.body, self.error, self.elapsed = 0, [], b"", None, 0.0
        self.cert, self.records, self.interim = None, [], []

    def get(self, name):
        return [v for k, v in self.headers if k.lower() == name.lower()]


def exchange(target, request, rid, variables):
    """Sends one request as it is written and reads one response."""
    r = Response()
    began = time.time()
    scheme = request.get("scheme", "http")
    v6 = request.get("via") == "ipv6"
    host, port = target[scheme]
    timeout = request.get("timeout", 15)
    s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET)
    s.settimeout(timeout)
    try:
        if request.get("from"):
            s.bind((request["from"], 0))
        s.connect(("::1" if v6 else host, port))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if scheme == "https":
            ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
            ctx.minimum_version = ssl.TLSVersion.TLSv1_2
            if request.get("tls_max") == "1.2":
                ctx.maximum_version = ssl.TLSVersion.TLSv1_2
            if request.get("ciphers"):
                ctx.set_ciphers(request["ciphers"])
            if request.get("client_cert"):
                base = os.path.join(HERE, "pki", request["client_cert"])
                ctx.load_cert_chain(base + ".crt", base + ".key")
            sni = request.get("sni", request.get("host", "").split(":")[0])
            s = ctx.wrap_socket(s, server_hostname=sni or None)
            r.cert = s.getpeercert(True)
        s.sendall(render(request, rid, variables))
        f = s.makefile("rb")
        while True:
            line = f.readline(65536)
            if not line:
                r.error = "closed without a response"
                return r
            r.status = int(line.split()[1])
            r.headers = []
            while True:
                h = f.readline(1 << 20).decode("latin-1").rstrip("\r\n")
                if not h:
                    break
                k, _, v = h.partition(":")
                r.headers.append((k, v.strip()))
            if r.status >= 200 or r.status == 101:
                break
            r.interim.append(r.status)
        if request.get("method") == "HEAD" or r.status in (101, 204, 304) or request.get("headers_only"):
            return r
        if "chunked" in "".join(r.get("transfer-encoding")).lower():
            while True:
                n = int(f.readline(100).split(b";")[0], 16)
                r.body += f.read(n)
                f.readline(100)
                if n == 0:
                    break
        elif r.get("content-length"):
            r.body = f.read(int(r.get("content-length")[0]))
            if len(r.body) < int(r.get("content-length")[0]):
                r.error = "body cut short"
        else:
            r.body = f.read()
    except (OSError, ssl.SSLError, ValueError, IndexError) as e:
        r.error = "%s: %s" % (type(e).__name__, e)
    finally:
        r.elapsed = time.time() - began
        s.close()
    return r


def render(request, rid, variables):
    if "raw" in request:
        return subst(request["raw"], variables).replace("\r\n", "\n").replace("\n", "\r\n") \
            .replace("${id}", rid).encode("latin-1")
    headers = [(k, subst(str(v), variables)) for k, v in pairs(request.get("headers"))]
    if not any(k.lower() == "host" for k, _ in headers) and request.get("host") is not None:
        headers.insert(0, ("Host", request["host"]))
    headers.append(("X-Corpus-Id", rid))
    jar = variables.get("jar") or {}
    if request.get("cookies") == "jar" and jar:
        headers.append(("Cookie", "; ".join("%s=%s" % kv for kv in sorted(jar.items()))))
    body = request.get("body")
    if "body_size" in request:
        body = "b" * request["body_size"]
    data = b"" if body is None else subst(body, variables).encode("latin-1")
    chunked = request.get("chunked")
    names = [k.lower() for k, _ in headers]
    if chunked:
        headers.append(("Transfer-Encoding", "chunked"))
        data = (b"%x\r\n%s\r\n" % (len(data), data) if data else b"") + b"0\r\n\r\n"
    elif body is not None and "content-length" not in names:
        headers.append(("Content-Length", str(len(data))))
    head = "%s %s HTTP/1.1\r\n" % (request.get("method", "GET"), subst(request.get("path", "/"), variables))
    return (head + "".join("%s: %s\r\n" % h for h in headers) + "\r\n").encode("latin-1") + data


def pairs(headers):
    """Headers as a map, or as a list of [name, value] where order or repetition matters."""
    if not headers:
        return []
    if isinstance(headers, dict):
        return list(headers.items())
    return [(k, v) for k, v in headers]


def subst(text, variables):
    return re.sub(r"\$\{([a-z_]+(?::[^}]*)?)\}",
                  lambda m: str(variables[m[1]]) if m[1] in variables else m[0], text)


# --- expectations -------------------------------------------------------------------------------

def value_ok(want, got):
    """want: exact text, or re:PATTERN (searched). got: one value."""
    want = str(want)
    if want.startswith("re:"):
        return re.search(want[3:], got, re.S) is not None
    return want == got


def check_headers(want, have, where, variables):
    """want: name -> null (absent) | text | re:PATTERN | [one for each value, in order] | {any: text}."""
    out = []
    for name, w in (want or {}).items():
        got = [v for k, v in have if k.lower() == name.lower()]
        if isinstance(w, str):
            w = subst(w, variables)
        if w is None:
            if got:
                out.append("%s %s: want absent, got %r" % (where, name, got))
        elif isinstance(w, dict):
            if "any" in w and not any(value_ok(subst(str(w["any"]), variables), g) for g in got):
                out.append("%s %s: want one like %r, got %r" % (where, name, w["any"], got))
            if "not" in w and any(value_ok(subst(str(w["not"]), variables), g) for g in got):
                out.append("%s %s: want none like %r, got %r" % (where, name, w["not"], got))
            if "one_of" in w and not (len(got) == 1 and got[0] in [subst(str(x), variables) for x in w["one_of"]]):
                out.append("%s %s: want one of %r, got %r" % (where, name, w["one_of"], got))
            if "count" in w and len(got) != w["count"]:
                out.append("%s %s: want %d of them, got %r" % (where, name, w["count"], got))
        elif isinstance(w, list):
            w = [subst(str(x), variables) for x in w]
            if len(w) != len(got) or not all(value_ok(a, b) for a, b in zip(w, got)):
                out.append("%s %s: want %r, got %r" % (where, name, w, got))
        elif len(got) != 1 or not value_ok(w, got[0]):
            out.append("%s %s: want %r, got %r" % (where, name, w, got if len(got) != 1 else got[0]))
    return out


def parse_cookie(line):
    parts = [p.strip() for p in line.split(";")]
    name, _, value = parts[0].partition("=")
    attributes = {}
    for p in parts[1:]:
        k, eq, v = p.partition("=")
        attributes[k.strip().lower()] = v.strip() if eq else True
    return name, value, attributes


def check_cookies(want, response, variables):
    out = []
    have = [parse_cookie(v) for v in response.get("set-cookie")]
    for name, w in (want or {}).items():
        got = [c for c in have if c[0] == name]
        if w is None:
            if got:
                out.append("Set-Cookie %s: want none, got %r" % (name, got))
            continue
        if len(got) != 1:
            out.append("Set-Cookie %s: want one, got %r" % (name, response.get("set-cookie")))
            continue
        _, value, attributes = got[0]
        for k, x in (w or {}).items():
            g = value if k == "value" else attributes.get(k.lower())
            if x in (True, False, None):
                if bool(g) != bool(x):
                    out.append("Set-Cookie %s %s: want %s, got %r" % (name, k, "present" if x else "absent", g))
            elif not isinstance(g, str) or not value_ok(subst(str(x), variables), g):
                out.append("Set-Cookie %s %s: want %r, got %r" % (name, k, x, g))
    return out


def common_name(der):
    if not der:
        return None
    p = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject", "-nameopt", "multiline"],
                       input=der, capture_output=True)
    m = re.search(r"commonName\s*=\s*(.*)", p.stdout.decode())
    return m[1].strip() if m else None


def check(expect, response, namespace, variables):
    """The expectations that one response does not meet."""
    if expect.get("no_response"):
        return [] if response.status == 0 else ["want no response, got %d" % response.status]
    if response.error and not expect.get("cut"):
        return ["no answer: %s" % response.error]
    out = []
    want = expect.get("status")
    if want is not None:
        if response.status not in (want if isinstance(want, list) else [want]):
            out.append("status: want %s, got %d" % (want, response.status))
    out += check_headers(expect.get("headers"), response.headers, "header", variables)
    out += check_cookies(expect.get("set_cookie"), response, variables)
    text = response.body.decode("latin-1")
    for b in aslist(expect.get("body")):
        b = subst(b, variables)
        if not (re.search(b[3:], text, re.S) if b.startswith("re:") else b in text):
            out.append("body: want %r in %r" % (b, text[:120]))
    for b in aslist(expect.get("body_without")):
        if b in text:
            out.append("body: want no %r in it" % b)
    if "body_size" in expect and len(response.body) != expect["body_size"]:
        out.append("body: want %d bytes, got %d" % (expect["body_size"], len(response.body)))
    if "elapsed" in expect:
        low, high = expect["elapsed"]
        if not low <= response.elapsed <= high:
            out.append("elapsed: want %s to %s s, got %.2f" % (low, high, response.elapsed))
    if "cert_cn" in expect:
        cn = common_name(response.cert)
        if not value_ok(expect["cert_cn"], cn or ""):
            out.append("certificate: want CN %r, got %r" % (expect["cert_cn"], cn))
    if "upstream" in expect:
        out += check_upstream(expect["upstream"], response.records, namespace, variables)
    return out


def aslist(x):
    return [] if x is None else x if isinstance(x, list) else [x]


def check_upstream(want, records, namespace, variables):
    if want == "none":
        return ["upstream: want none, got %s" % sorted({r["service"] for r in records})] if records else []
    out, used = [], set()
    for w in aslist(want):
        mine = [r for r in records if r["service"] == w["service"] and
                r["namespace"] == w.get("namespace", namespace)]
        used.update(id(r) for r in mine)
        if "count" in w and len(mine) != w["count"]:
            out.append("upstream %s: want %d requests, got %d" % (w["service"], w["count"], len(mine)))
            continue
        if not mine:
            if w.get("count") != 0:
                out.append("upstream: want %s, got %s" % (w["service"], sorted({r["service"] for r in records})))
            continue
        best = None
        for r in mine:
            bad = check_record(w, r, variables)
            best = bad if best is None or len(bad) < len(best) else best
        out += best
    others = sorted({r["service"] for r in records if id(r) not in used})
    if others and not any(w.get("others") for w in aslist(want)):
        out.append("upstream: want only %s, got also %s" % ([w["service"] for w in aslist(want)], others))
    return out


def check_record(w, r, variables):
    out = []
    for k in ("method", "path", "version", "sni", "framing"):
        if k in w:
            x = w[k]
            if x is None:
                if r[k] is not None:
                    out.append("upstream %s: want none, got %r" % (k, r[k]))
            elif not value_ok(subst(str(x), variables), r[k] or ""):
                out.append("upstream %s: want %r, got %r" % (k, x, r[k]))
    for k in ("tls", "size", "endpoint", "client_cert"):
        if k in w and r[k] != w[k]:
            out.append("upstream %s: want %r, got %r" % (k, w[k], r[k]))
    if "body" in w and w["body"] not in r["body"]:
        out.append("upstream body: want %r in %r" % (w["body"], r["body"][:80]))
    out += check_headers(w.get("headers"), r["headers"], "upstream header", variables)
    return out


def check_many(expect, responses, namespace, variables):
    """Expectations about several responses together."""
    out = []
    counts = collections.Counter(str(r.status) for r in responses)
    for status, bounds in (expect.get("statuses") or {}).items():
        low, high = bounds if isinstance(bounds, list) else (bounds, bounds)
        n = counts.pop(str(status), 0)
        if not low <= n <= high:
            out.append("of %d responses want %s..%s with %s, got %d (%s)" % (
                len(responses), low, high, status, n,
                dict(collections.Counter(str(r.status) for r in responses))))
    if expect.get("statuses") and counts:
        out.append("unexpected statuses: %s" % dict(counts))
    services = collections.Counter(x["service"] for r in responses for x in r.records[-1:])
    for service, bounds in (expect.get("services") or {}).items():
        low, high = bounds if isinstance(bounds, list) else (bounds, bounds)
        if not low <= services.get(service, 0) <= high:
            out.append("want %s..%s of %d at %s, got %s" % (low, high, len(responses), service, dict(services)))
    endpoints = {(x["service"], x["endpoint"]) for r in responses for x in r.records[-1:]}
    if "endpoints" in expect:
        low, high = expect["endpoints"] if isinstance(expect["endpoints"], list) else [expect["endpoints"]] * 2
        if not low <= len(endpoints) <= high:
            out.append("want %s..%s endpoints, got %s" % (low, high, sorted(endpoints)))
    return out


# --- scenarios ----------------------------------------------------------------------------------

def load(corpus):
    scenarios = []
    for path in sorted(glob.glob(os.path.join(corpus, "*.yaml"))):
        with open(path) as f:
            for s in yaml.load(f, Loader=Loader) or []:
                s["file"] = os.path.basename(path)
                scenarios.append(s)
    seen = set()
    for s in scenarios:
        if s["id"] in seen:
            sys.exit("two scenarios with id %s" % s["id"])
        seen.add(s["id"])
    return scenarios


class Manifests:
    """The objects of a scenario with placeholders filled in, addresses given and EndpointSlices added."""

    def __init__(self, scenario, addresses, echo):
        self.namespace = "corpus-" + scenario["id"]
        self.variables = {"namespace": self.namespace}
        self.docs = []
        text = scenario["manifests"]
        parsed = [d for d in yaml.load_all(text, Loader=Loader) if d]
        slices = []
        for d in parsed:
            if d["kind"] != "Service":
                continue
            ns = d["metadata"].setdefault("namespace", self.namespace)
            name = d["metadata"]["name"]
            notes = d["metadata"].get("annotations") or {}
            count = int(notes.get("corpus/endpoints", 1))
            dead = int(notes.get("corpus/dead", 0))
            port = echo.tls if notes.get("corpus/tls") == "true" else echo.plain
            rules = json.loads(notes.get("corpus/respond", "[]"))
            ips = [addresses.pod() for _ in range(count)]
            cluster = addresses.cluster()
            with echo.lock:
                for i, ip in enumerate(ips + [cluster]):
                    echo.endpoints[ip] = (ns, name, i, rules)
            self.variables["clusterip:" + name] = cluster
            self.variables["echoport"] = port
            self.variables["echoport:" + name] = port
            if ips:
                self.variables["addr:" + name] = "%s:%d" % (ips[0], port)
                self.variables["ip:" + name] = ips[0]
            for i, group in enumerate((ips[dead:], ips[:dead])):
                if group:
                    slices.append({
                        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                        "metadata": {"name": "%s-%d" % (name, i), "namespace": ns,
                                     "labels": {"kubernetes.io/service-name": name}},
                        "addressType": "IPv4",
                        "ports": [dict(port=echo.refusing if i else port, protocol="TCP",
                                       name=p.get("name", "")) for p in d["spec"].get("ports", [])],
                        "endpoints": [{"addresses": [ip], "conditions": {"ready": True}} for ip in group]})
        for d in yaml.load_all(self.fill(text), Loader=Loader):
            if not d:
                continue
            if d["kind"] not in ("IngressClass", "Namespace"):
                d.setdefault("metadata", {}).setdefault("namespace", self.namespace)
            self.docs.append(d)
        self.docs += slices

    def fill(self, text):
        def one(m):
            key = m[1]
            if key.startswith("b64:"):
                with open(os.path.join(HERE, key[4:]), "rb") as f:
                    return base64.b64encode(f.read()).decode()
            if key in self.variables:
                return str(self.variables[key])
            return m[0]
        return re.sub(r"\$\{([a-z0-9]+(?::[^}]*)?)\}", one, text)


class Addresses:
    def __init__(self, oracle):
        self.oracle, self.pods, self.clusters = oracle, 0, 0

    def pod(self):
        self.pods += 1
        n = self.pods + 256
        return "%s.%d.%d" % ("10.77" if self.oracle else "127.77", n >> 8 & 255, n & 255)

    def cluster(self):
        self.clusters += 1
        n = self.clusters + 256
        return "%s.%d.%d" % ("10.96" if self.oracle else "127.78", n >> 8 & 255, n & 255)


def free_ports(n):
    """Ports that are free on both loopback addresses, all different."""
    held, ports = [], []
    try:
        while len(ports) < n:
            a = socket.socket()
            held.append(a)
            a.bind(("127.0.0.1", 0))
            b = socket.socket(socket.AF_INET6)
            held.append(b)
            try:
                b.bind(("::1", a.getsockname()[1]))
                ports.append(a.getsockname()[1])
            except OSError:
                pass
    finally:
        for s in held:
            s.close()
    return ports


class Sluice:
    """One process of Sluice, with the manifests of a batch."""
    note = set()

    def __init__(self, binary, docs, configmap, flags, keep):
        self.dir = tempfile.mkdtemp(prefix="corpus-")
        self.keep = keep
        folder = os.path.join(self.dir, "manifests")
        os.mkdir(folder)
        docs = [CLASS, {"apiVersion": "v1", "kind": "ConfigMap",
                        "metadata": {"namespace": CONFIGMAP[0], "name": CONFIGMAP[1]},
                        "data": {k: str(v) for k, v in configmap.items()}}] + docs
        with open(os.path.join(folder, "all.yaml"), "w") as f:
            yaml.dump_all(docs, f, default_flow_style=False)
        keys = {"controllers": ["sluice-gateway.io/ingress", "k8s.io/ingress-nginx"],
                "nginx_configmap": "/".join(CONFIGMAP)}
        for _ in range(4):                       # another process may take a port that was free just now
            self.http, self.https, self.metrics, admin = free_ports(4)
            self.config = {
                "version": 1, "threads": 1, "upgrade_sock": "", "kubernetes": keys,
                "listen": {"http": ["127.0.0.1:%d" % self.http, "[::1]:%d" % self.http],
                           "https": ["127.0.0.1:%d" % self.https, "[::1]:%d" % self.https],
                           "metrics": "127.0.0.1:%d" % self.metrics, "admin": "127.0.0.1:%d" % admin}}
            self.start(binary, folder)
            if self.ready():
                return
            if re.search("unknown key.*nginx_configmap|nginx_configmap.*unknown", self.log(), re.I):
                Sluice.note.add("this Sluice does not know kubernetes.nginx_configmap: ConfigMap keys are not set")
                keys.pop("nginx_configmap", None)
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()

    def start(self, binary, folder):
        path = os.path.join(self.dir, "config.yaml")
        with open(path, "w") as f:
            yaml.dump(self.config, f)
        with open(os.path.join(self.dir, "log"), "w") as out:
            self.process = subprocess.Popen([binary, "serve", "--config", path, "--manifests", folder],
                                            stdout=out, stderr=subprocess.STDOUT)

    def log(self):
        with open(os.path.join(self.dir, "log")) as f:
            return f.read()

    def ready(self):
        for _ in range(300):
            if self.process.poll() is not None:
                return False
            try:
                with socket.create_connection(("127.0.0.1", self.metrics), 1) as s:
                    s.sendall(b"GET /readyz HTTP/1.0\r\nHost: x\r\n\r\n")
                    if b" 200 " in s.recv(64):
                        return True
            except OSError:
                pass
            time.sleep(0.05)
        return False

    def alive(self):
        return self.process.poll() is None

    def targets(self):
        return {"http": ("127.0.0.1", self.http), "https": ("127.0.0.1", self.https)}

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)


class Oracle:
    """ingress-nginx itself; objects go through the API server."""
    round = 0

    def __init__(self, docs, configmap, flags, keep):
        Oracle.round += 1
        self.flags = flags
        self.docs = docs
        self.http, self.https = 80, 443
        self.kubectl("apply", [{"apiVersion": "v1", "kind": "ConfigMap",
                                "metadata": {"namespace": CONFIGMAP[0], "name": CONFIGMAP[1]}}], replace=True,
                     data={k: str(v) for k, v in configmap.items()})
        spaces = sorted({d["metadata"]["namespace"] for d in docs if "namespace" in d["metadata"]})
        self.errors = self.kubectl("create", [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}}
                                              for n in spaces], quiet=True)
        plain = [d for d in docs if d["kind"] != "Ingress"]
        self.errors = self.kubectl("create", plain)
        time.sleep(1)
        waves = collections.defaultdict(list)
        for d in docs:
            if d["kind"] == "Ingress":
                d = copy.deepcopy(d)
                waves[str(d["metadata"].pop("creationTimestamp", ""))].append(d)
        for n, key in enumerate(sorted(waves)):
            if n:
                time.sleep(1.2)
            self.errors += self.kubectl("create", waves[key])
        for e in self.errors:
            print("  api server: " + e)
        self.sentinel()

    def sentinel(self):
        host = "sentinel-%d.corpus.test" % Oracle.round
        self.last = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                     "metadata": {"name": "sentinel-%d" % Oracle.round, "namespace": "ingress-nginx",
                                  "annotations": {"nginx.ingress.kubernetes.io/permanent-redirect":
                                                  "http://sentinel.corpus.test"}},
                     "spec": {"ingressClassName": "nginx", "rules": [{"host": host, "http": {"paths": [
                         {"path": "/", "pathType": "Prefix",
                          "backend": {"service": {"name": "none", "port": {"number": 80}}}}]}}]}}
        self.kubectl("create", [self.last])
        quiet, last = 0, None
        for _ in range(400):
            r = exchange(self.targets(), {"host": host, "timeout": 2}, "sentinel", {})
            try:
                with open("/etc/nginx/nginx.conf", "rb") as f:
                    now = hashlib.sha1(f.read()).hexdigest()
            except OSError:
                now = None
            # 503 also counts: the sentinel's own service does not exist
            if r.status in (301, 503) and now == last:
                quiet += 1
                if quiet >= 12:
                    break
            else:
                quiet = 0
            last = now
            time.sleep(0.1)
        else:
            print("  the sentinel was not seen")
        time.sleep(1.6)                          # every worker reads the backends once a second

    def kubectl(self, verb, docs, replace=False, data=None, quiet=False):
        if data is not None:
            docs[0]["data"] = data
        if not docs:
            return []
        p = subprocess.run(["kubectl", "replace" if replace else verb, "-f", "-"],
                           input=yaml.dump_all(docs), capture_output=True, text=True)
        lines = [x for x in p.stderr.splitlines() if x.strip() and not x.startswith("Warning")]
        return [] if quiet else lines

    def alive(self):
        return True

    def log(self):
        return ""

    def targets(self):
        return {"http": ("127.0.0.1", 80), "https": ("127.0.0.1", 443)}

    def stop(self):
        self.kubectl("delete", [d for d in self.docs if d["kind"] != "Namespace"] + [self.last], quiet=True)


# --- running ------------------------------------------------------------------------------------

class Runner:
    def __init__(self, options):
        self.options = options
        self.echo = Echo()
        self.addresses = Addresses(options.oracle)
        self.sequence = 0
        self.lock = threading.Lock()

    def next_id(self):
        with self.lock:
            self.sequence += 1
            return "c%d" % self.sequence

    def batches(self, scenarios):
        out = collections.OrderedDict()
        for s in scenarios:
            key = (s["file"] if not self.options.oracle else "", json.dumps(s.get("configmap") or {}, sort_keys=True),
                   ",".join(s.get("flags") or []), s["id"] if s.get("isolated") else "")
            out.setdefault(key, []).append(s)
        return out

    def run(self, scenarios):
        results = []
        for (_, configmap, flags, _), group in self.batches(scenarios).items():
            made = [(s, Manifests(s, self.addresses, self.echo)) for s in group]
            docs = [d for _, m in made for d in m.docs]
            if self.options.oracle:
                target = Oracle(docs, json.loads(configmap), flags, self.options.keep)
            else:
                target = Sluice(self.options.sluice, docs, json.loads(configmap), flags, self.options.keep)
            try:
                jobs = self.options.jobs
                if jobs > 1 and len(made) > 1:
                    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
                        results += list(pool.map(lambda sm: self.scenario(*sm, target), made))
                else:
                    results += [self.scenario(s, m, target) for s, m in made]
                if not target.alive():
                    print("the gateway ended: %s" % target.log()[-400:])
            finally:
                if self.options.keep and not self.options.oracle:
                    print("kept %s" % target.dir)
                target.stop()
        return results

    def scenario(self, s, m, target):
        variables = dict(m.variables, jar={}, client="127.0.0.1")
        failures, passed, total = [], 0, 0
        for n, request in enumerate(s["requests"]):
            total += 1
            bad = self.request(s, request, n, m, target, variables)
            if bad:
                failures += ["%s[%d] %s %s%s: %s" % (s["id"], n, request.get("method", "GET"),
                                                     request.get("host", ""), request.get("path", "/"), b)
                             for b in bad]
            else:
                passed += 1
        for f in failures:
            print("FAIL %s" % f, flush=True)
        if self.options.verbose and not failures:
            print("ok   %s" % s["id"], flush=True)
        return {"id": s["id"], "group": s["group"], "passed": not failures,
                "requests": total, "requests_passed": passed, "failures": failures}

    def request(self, s, request, n, m, target, variables):
        if not target.alive():
            return ["the gateway is not running: %s" % target.log().strip()[-200:]]
        if request.get("wait"):
            time.sleep(request["wait"])
        scheme = request.get("scheme", "http")
        here = dict(variables, port=target.targets()[scheme][1], scheme=scheme, host=request.get("host", ""),
                    http_port=target.targets()["http"][1], https_port=target.targets()["https"][1],
                    client=request.get("from", "::1" if request.get("via") == "ipv6" else "127.0.0.1"))
        expect = request.get("expect") or {}
        times = request.get("repeat", 1)
        parallel = request.get("parallel", 0)
        ids = [self.next_id() for _ in range(parallel or times)]
        if parallel:
            with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
                responses = list(pool.map(lambda i: exchange(target.targets(), request, i, here), ids))
        else:
            responses = []
            for i in ids:
                if request.get("interval") and responses:
                    time.sleep(request["interval"])
                responses.append(exchange(target.targets(), request, i, here))
                if request.get("cookies") == "jar":
                    self.store(responses[-1], variables)
                    here["jar"] = variables["jar"]
        late = isinstance(expect.get("upstream"), list) or request.get("settle")
        if late:
            time.sleep(request.get("settle", 0.3))
        for i, r in zip(ids, responses):
            with self.echo.lock:
                r.records = list(self.echo.records.get(i, []))
        bad = []
        for r in responses:
            b = check(expect, r, m.namespace, here)
            if b and request.get("stricter") and not self.options.exact:
                if not check(request["stricter"], r, m.namespace, here):
                    b = []
            if b:
                bad = b
                break
        many = check_many(expect, responses, m.namespace, here)
        if many and request.get("stricter") and not self.options.exact:
            if not any(check(request["stricter"], r, m.namespace, here) for r in responses):
                many = []
        bad += many
        for name, what in (request.get("save") or {}).items():
            variables[name] = self.value(what, responses[-1])
        for name in aslist(expect.get("same")):
            what, _, other = name.partition("=")
            got = self.value(what, responses[-1])
            if got != variables.get(other):
                bad.append("%s: want the saved %r, got %r" % (what, variables.get(other), got))
        for name in aslist(expect.get("different")):
            what, _, other = name.partition("=")
            got = self.value(what, responses[-1])
            if got == variables.get(other):
                bad.append("%s: want other than the saved %r" % (what, got))
        return bad

    @staticmethod
    def store(response, variables):
        jar = dict(variables["jar"])
        for line in response.get("set-cookie"):
            name, value, attributes = parse_cookie(line)
            if attributes.get("max-age") == "0":
                jar.pop(name, None)
            else:
                jar[name] = value
        variables["jar"] = jar

    @staticmethod
    def value(what, response):
        """endpoint | service | cookie:NAME | header:NAME | upstream-header:NAME"""
        kind, _, name = what.partition(":")
        last = response.records[-1] if response.records else None
        if kind == "endpoint":
            return (last["service"], last["endpoint"]) if last else None
        if kind == "service":
            return last["service"] if last else None
        if kind == "cookie":
            return next((c[1] for c in map(parse_cookie, response.get("set-cookie")) if c[0] == name), None)
        if kind == "header":
            return ", ".join(response.get(name))
        if kind == "upstream-header":
            return next((v for k, v in last["headers"] if k.lower() == name.lower()), None) if last else None
        raise ValueError(what)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sluice", help="the binary")
    p.add_argument("--oracle", action="store_true", help="against ingress-nginx")
    p.add_argument("--corpus", default=HERE)
    p.add_argument("--only", action="append", default=[], help="a group or an id; may be repeated")
    p.add_argument("--exact", action="store_true", help="as ingress-nginx, even where a stricter answer is accepted")
    p.add_argument("--tag", action="append", default=[])
    p.add_argument("--without-tag", action="append", default=[])
    p.add_argument("--json", help="file for the results")
    p.add_argument("--jobs", type=int, default=4, help="scenarios of a batch at the same time")
    p.add_argument("--list", action="store_true")
    p.add_argument("--keep", action="store_true", help="keep the manifests and logs of each batch")
    p.add_argument("--flags", default="", help="controller flags the oracle was started with")
    p.add_argument("-v", "--verbose", action="store_true")
    options = p.parse_args()
    scenarios = load(options.corpus)
    if options.only:
        scenarios = [s for s in scenarios if s["group"] in options.only or s["id"] in options.only
                     or s["file"][:-5] in options.only]
    if options.tag:
        scenarios = [s for s in scenarios if set(options.tag) & set(s.get("tags") or [])]
    scenarios = [s for s in scenarios if not set(options.without_tag) & set(s.get("tags") or [])]
    if options.oracle:
        options.exact = True
        scenarios = [s for s in scenarios if ",".join(s.get("flags") or []) == options.flags]
    if not scenarios:
        sys.exit("no such scenario")
    if options.list:
        for s in scenarios:
            print("%-28s %-26s %-11s %2d  %s" % (s["id"], s["group"], s.get("verified"), len(s["requests"]), s.get("title", "")))
        return
    if not options.sluice and not options.oracle:
        sys.exit("--sluice PATH is needed")
    began = time.time()
    results = Runner(options).run(scenarios)
    groups = collections.OrderedDict()
    for r in results:
        g = groups.setdefault(r["group"], [0, 0, 0, 0])
        g[0] += r["passed"]
        g[1] += 1
        g[2] += r["requests_passed"]
        g[3] += r["requests"]
    print()
    for note in Sluice.note:
        print("note: " + note)
    print("%-30s %11s %11s" % ("group", "scenarios", "requests"))
    for name, (a, b, c, d) in groups.items():
        print("%-30s %5d/%-5d %5d/%-5d" % (name, a, b, c, d))
    a, b, c, d = (sum(g[i] for g in groups.values()) for i in range(4))
    print("%-30s %5d/%-5d %5d/%-5d in %.0f s" % ("all", a, b, c, d, time.time() - began))
    if options.json:
        with open(options.json, "w") as f:
            json.dump({"results": results, "groups": {k: dict(zip(
                ("passed", "total", "requests_passed", "requests"), v)) for k, v in groups.items()}}, f, indent=1)
    sys.exit(0 if a == b else 1)


if __name__ == "__main__":
    main()
