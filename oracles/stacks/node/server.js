// Run as a program: a TLS server on Node's own OpenSSL. Arguments: port, PEM file, options of tls.createServer as JSON.
const fs = require("node:fs");
const https = require("node:https");

const [port, file, options = "{}"] = process.argv.slice(2);
const pem = fs.readFileSync(file);
const server = https.createServer({ cert: pem, key: pem, ...JSON.parse(options) }, (_, response) => response.end("hello"));
server.on("tlsClientError", () => {}); // most of a scanner's connections
server.listen(Number(port), "127.0.0.1");
