//! Run as a program: a TLS server on rustls. Arguments: port, PEM file, provider (`ring` or `aws-lc`).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{aws_lc_rs, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (port, file) = (&arguments[1], &arguments[2]);
    let provider = match arguments[3].as_str() {
        "ring" => ring::default_provider(),
        "aws-lc" => aws_lc_rs::default_provider(),
        other => panic!("no provider {other}"),
    };
    let chain = CertificateDer::pem_file_iter(file).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(file).unwrap())
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let config = Arc::new(config);
    for connection in TcpListener::bind(format!("127.0.0.1:{port}")).unwrap().incoming().flatten() {
        let config = config.clone();
        std::thread::spawn(move || serve(connection, config));
    }
}

/// One connection. Most connections of a scanner end before the handshake is complete.
fn serve(mut connection: TcpStream, config: Arc<ServerConfig>) {
    let _ = connection.set_read_timeout(Some(Duration::from_secs(5)));
    let mut session = ServerConnection::new(config).unwrap();
    let mut stream = Stream::new(&mut session, &mut connection);
    if matches!(stream.read(&mut [0; 4096]), Ok(length) if length > 0) {
        let _ = stream.write_all(ANSWER);
        session.send_close_notify();
        let _ = session.complete_io(&mut connection);
    }
}
