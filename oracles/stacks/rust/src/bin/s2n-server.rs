//! Run as a program: a TLS server on s2n-tls. Arguments: port, PEM file, security policy (`default`, `test_all`, …).

use std::time::Duration;

use s2n_tls::config::Config;
use s2n_tls::security::Policy;
use s2n_tls_tokio::TlsAcceptor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let pem = std::fs::read_to_string(&arguments[2]).unwrap();
    let (chain, key) = pem.split_at(pem.find("-----BEGIN PRIVATE KEY").unwrap());
    let mut config = Config::builder();
    config.load_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    config.set_max_blinding_delay(0).unwrap(); // by default a refusal takes 10 to 30 seconds
    config.set_security_policy(&Policy::from_version(&arguments[3]).unwrap()).unwrap();
    let acceptor = TlsAcceptor::new(config.build().unwrap());
    let listener = TcpListener::bind(format!("127.0.0.1:{}", arguments[1])).await.unwrap();
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(serve(acceptor.clone(), connection));
    }
}

/// One connection. Most connections of a scanner end before the handshake is complete.
async fn serve(acceptor: TlsAcceptor, connection: TcpStream) {
    let Ok(Ok(mut stream)) = timeout(Duration::from_secs(5), acceptor.accept(connection)).await else { return };
    if matches!(timeout(Duration::from_secs(5), stream.read(&mut [0; 4096])).await, Ok(Ok(length)) if length > 0) {
        let _ = stream.write_all(ANSWER).await;
    }
    let _ = stream.shutdown().await;
}
