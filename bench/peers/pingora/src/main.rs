//! A reverse proxy on Pingora with one origin, for bench: the same listener, origin, forwarded fields and TLS as the
//! other peers have in their configurations.
//!
//!     sluice-bench-pingora FILE
//!
//! FILE has lines "name value"; `Config` lists the names. What Pingora leaves to its users (which fields to
//! forward, and the ids of requests) is done here in the cheapest way that its interface has: values that
//! never change are made once.

use std::io::Write;

use async_trait::async_trait;
use http::header::{HeaderName, HeaderValue, HOST};
use pingora::apps::HttpServerOptions;
use pingora::listeners::tls::TlsSettings;
use pingora::prelude::*;
use pingora::protocols::ALPN;
use pingora::server::configuration::ServerConf;
use pingora::tls::ssl::{SslOptions, SslSessionCacheMode, SslVersion};

/// What the file says.
#[derive(Default)]
struct Config {
    listen: String, // ip:port
    origin: String, // ip:port
    threads: usize,
    dir: String,      // for the socket that Pingora names in its configuration
    down_h2: bool,    // HTTP/2 in clear text from clients
    up_h2: bool,      // HTTP/2 in clear text to the origin
    cert: String,     // file; "" for a listener in clear text
    key: String,      // file
    keepalive: usize, // idle connections to the origin
}

impl Config {
    fn read(path: &str) -> Config {
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|e| fail(&format!("read {path}: {e}")));
        let mut c = Config::default();
        for line in text
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with('#'))
        {
            let (name, value) = line.split_once(' ').unwrap_or((line, ""));
            let number = || {
                value
                    .parse()
                    .unwrap_or_else(|_| fail(&format!("{path}: {name} is no number: {value}")))
            };
            match name {
                "listen" => c.listen = value.into(),
                "origin" => c.origin = value.into(),
                "threads" => c.threads = number(),
                "dir" => c.dir = value.into(),
                "down_h2" => c.down_h2 = value == "true",
                "up_h2" => c.up_h2 = value == "true",
                "cert" => c.cert = value.into(),
                "key" => c.key = value.into(),
                "keepalive" => c.keepalive = number(),
                _ => fail(&format!("{path}: no such name: {name}")),
            }
        }
        c
    }
}

fn fail(why: &str) -> ! {
    let _ = writeln!(std::io::stderr(), "sluice-bench-pingora: {why}");
    std::process::exit(1)
}

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
static X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The proxy; immutable after it is made.
struct Proxy {
    origin: HttpPeer,
    proto: HeaderValue,
    port: HeaderValue,
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = ();
    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _session: &mut Session, _ctx: &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(self.origin.clone()))
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        up: &mut RequestHeader,
        _ctx: &mut (),
    ) -> Result<()> {
        let down = session.req_header();
        // HTTP/2 has the host in :authority.
        let host = match down.headers.get(HOST) {
            Some(host) => host.clone(),
            None => match down
                .uri
                .authority()
                .and_then(|a| HeaderValue::from_str(a.as_str()).ok())
            {
                Some(host) => host,
                None => return Error::e_explain(InvalidHTTPHeader, "a request without a host"),
            },
        };
        let client = match session.client_addr().and_then(|a| a.as_inet()) {
            Some(a) => HeaderValue::from_str(&a.ip().to_string()).unwrap(),
            None => return Error::e_explain(InternalError, "a client without an address"),
        };
        let id = HeaderValue::from_str(&format!("{:032x}", rand::random::<u128>())).unwrap();
        up.insert_header(&X_FORWARDED_FOR, client.clone())?;
        up.insert_header(&X_REAL_IP, client)?;
        up.insert_header(&X_FORWARDED_PROTO, self.proto.clone())?;
        up.insert_header(&X_FORWARDED_PORT, self.port.clone())?;
        up.insert_header(&X_FORWARDED_HOST, host)?;
        up.insert_header(&X_REQUEST_ID, id)?;
        Ok(())
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("--version") => {
            println!(
                "sluice-bench-pingora {} (Pingora 0.9.1)",
                env!("CARGO_PKG_VERSION")
            );
            return;
        }
        Some(path) if args.len() == 2 => serve(Config::read(path)),
        _ => fail("want one argument, a file"),
    }
}

fn serve(c: Config) {
    let conf = ServerConf {
        threads: c.threads,
        upstream_keepalive_pool_size: c.keepalive,
        pid_file: format!("{}/pingora.pid", c.dir),
        upgrade_sock: format!("{}/pingora.sock", c.dir),
        // End at once when asked to.
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(0),
        ..Default::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();

    let mut origin = HttpPeer::new(c.origin.as_str(), false, String::new());
    if c.up_h2 {
        origin.options.set_http_version(2, 2);
        // The default is one stream a connection.
        origin.options.max_h2_streams = 128;
    }
    let port = c.listen.rsplit(':').next().unwrap_or("");
    let tls = !c.cert.is_empty();
    let proxy = Proxy {
        origin,
        proto: HeaderValue::from_static(if tls { "https" } else { "http" }),
        port: HeaderValue::from_str(port)
            .unwrap_or_else(|e| fail(&format!("port of {}: {e}", c.listen))),
    };

    let mut options = HttpServerOptions::default();
    options.h2c = c.down_h2 && !tls;
    let inner = pingora::proxy::ProxyServiceBuilder::new(&server.configuration, proxy)
        .name("bench")
        .server_options(options);
    let mut service = inner.build();
    if tls {
        service.add_tls_with_settings(&c.listen, None, tls_settings(&c));
    } else {
        service.add_tcp(&c.listen);
    }
    server.add_service(service);
    server.run_forever();
}

/// TLS as nginx's configuration has it: one cipher, tickets, no cache beside them.
fn tls_settings(c: &Config) -> TlsSettings {
    let mut s =
        TlsSettings::intermediate(&c.cert, &c.key).unwrap_or_else(|e| fail(&format!("TLS: {e}")));
    let set = |s: &mut TlsSettings| -> std::result::Result<(), pingora::tls::error::ErrorStack> {
        s.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        s.set_max_proto_version(Some(SslVersion::TLS1_3))?;
        s.set_ciphersuites("TLS_AES_128_GCM_SHA256")?;
        s.set_num_tickets(1)?;
        // Without a context of its own OpenSSL refuses to resume.
        s.set_session_id_context(b"bench")
    };
    set(&mut s).unwrap_or_else(|e| fail(&format!("TLS: {e}")));
    s.set_session_cache_mode(SslSessionCacheMode::OFF);
    // The builder of Mozilla's settings may have turned tickets off.
    s.clear_options(SslOptions::NO_TICKET);
    s.set_alpn(ALPN::H2H1);
    s
}
