//! Prints the folder in which Cargo put the source of OpenSSL.

fn main() {
    println!("{}", openssl_src::source_dir().display());
}
