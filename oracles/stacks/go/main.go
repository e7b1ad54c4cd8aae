// Run as a program: a TLS server on Go's crypto/tls. Arguments: port, PEM file, flags.
//
// GODEBUG in its environment enables what Go disables by default: tlsrsakex=1, tls3des=1, tlssha1=1, tlsunsafeekm=1.
package main

import (
	"crypto/tls"
	"flag"
	"log"
	"net/http"
	"strings"
)

var protocols = map[string]uint16{
	"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13,
}

// suites returns the code points of these names, or nil, which means Go's own list.
func suites(names string) (numbers []uint16) {
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if names == "all" || strings.Contains(","+names+",", ","+suite.Name+",") {
			numbers = append(numbers, suite.ID)
		}
	}
	return numbers
}

func main() {
	minimum := flag.String("min", "", "lowest protocol, 1.0 to 1.3")
	maximum := flag.String("max", "", "highest protocol")
	names := flag.String("suites", "", "suites below TLS 1.3, separated by commas, or all")
	log.SetFlags(0)
	flag.Parse()
	certificate, err := tls.LoadX509KeyPair(flag.Arg(1), flag.Arg(1))
	if err != nil {
		log.Fatal(err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{certificate},
		MinVersion:   protocols[*minimum],
		MaxVersion:   protocols[*maximum],
		CipherSuites: suites(*names),
	}
	server := &http.Server{Addr: "127.0.0.1:" + flag.Arg(0), TLSConfig: config}
	log.Fatal(server.ListenAndServeTLS("", ""))
}
