"""`cyclonedx`: a bill of the cryptography that targets use (CBOM), in CycloneDX 1.6.

Targets are services. Protocols, algorithms, certificates and keys are assets, each once: the dependencies say which
service uses which. What is not known is a property that says so, and never an asset.
"""

from collections.abc import Iterable, Sequence
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.crypto import (
    AlgorithmProperties,
    CertificateProperties,
    CryptoAssetType,
    CryptoFunction,
    CryptoMode,
    CryptoPrimitive,
    CryptoProperties,
    ProtocolProperties,
    ProtocolPropertiesCipherSuite,
    ProtocolPropertiesType,
    RelatedCryptoMaterialProperties,
    RelatedCryptoMaterialType,
)
from cyclonedx.model.service import Service
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion

from exporter import __version__
from exporter.facts.certificate import CertificateFacts, ServedCertificate
from exporter.facts.handshake import HandshakeFacts
from exporter.model import Facts, Protocol, Report, Target
from exporter.reports.algorithms import Algorithm, Primitive, of_group, of_key, of_prime, of_signature, of_suite
from exporter.reports.base import Format, ReportSet
from exporter.text import escaped
from exporter.tls.suites import BY_ANY_NAME

_NAMESPACE = "tls-posture"
"""Of our properties."""
_FUNCTIONS = {
    Primitive.AE: (CryptoFunction.ENCRYPT, CryptoFunction.DECRYPT, CryptoFunction.TAG),
    Primitive.BLOCK_CIPHER: (CryptoFunction.ENCRYPT, CryptoFunction.DECRYPT),
    Primitive.STREAM_CIPHER: (CryptoFunction.ENCRYPT, CryptoFunction.DECRYPT),
    Primitive.HASH: (CryptoFunction.DIGEST,),
    Primitive.MAC: (CryptoFunction.TAG,),
    Primitive.KEM: (CryptoFunction.ENCAPSULATE, CryptoFunction.DECAPSULATE),
    Primitive.COMBINER: (CryptoFunction.KEYDERIVE,),
    Primitive.KEY_AGREE: (CryptoFunction.KEYGEN, CryptoFunction.KEYDERIVE),
    Primitive.PKE: (CryptoFunction.ENCRYPT, CryptoFunction.DECRYPT),
    Primitive.SIGNATURE: (CryptoFunction.SIGN, CryptoFunction.VERIFY),
    Primitive.OTHER: (CryptoFunction.OTHER,),
}
_MODES = {"GCM": CryptoMode.GCM, "CCM": CryptoMode.CCM, "CCM_8": CryptoMode.CCM, "CBC": CryptoMode.CBC}
_MODES |= {"CTR": CryptoMode.CTR, "CFB": CryptoMode.CFB}


def _property(name: str, value: str) -> Property:
    return Property(name=f"{_NAMESPACE}:{escaped(name)}", value=escaped(value))


class _Assets:
    """The assets of one bill, each once, with what each depends on."""

    def __init__(self) -> None:
        self.components: dict[str, Component] = {}
        self.uses: dict[str, set[str]] = {}

    def _add(self, component: Component, uses: Iterable[str] = ()) -> str:
        ref = str(component.bom_ref.value)
        self.components[ref] = component
        self.uses[ref] = set(uses)
        return ref

    def algorithm(self, algorithm: Algorithm) -> str:
        """The reference of this algorithm."""
        kinds = f"{algorithm.primitive}:{algorithm.name}"
        ref = f"crypto/algorithm/{kinds}"
        if ref in self.components:
            return ref
        properties = AlgorithmProperties(
            primitive=CryptoPrimitive(algorithm.primitive),
            parameter_set_identifier=algorithm.parameter,
            curve=algorithm.curve,
            mode=None if algorithm.mode is None else _MODES.get(algorithm.mode, CryptoMode.OTHER),
            crypto_functions=_FUNCTIONS[algorithm.primitive],
            classical_security_level=algorithm.bits,
            nist_quantum_security_level=algorithm.category,
        )
        crypto = CryptoProperties(
            asset_type=CryptoAssetType.ALGORITHM, algorithm_properties=properties, oid=algorithm.oid
        )
        return self._add(_asset(algorithm.name, ref, crypto))

    def protocol(self, facts: HandshakeFacts, protocol: Protocol) -> str:
        """The reference of this protocol as the server has it: servers with the same suites and groups share it."""
        names = facts.cipher_suites.get(protocol, ())
        listing = facts.groups.get(protocol)
        groups = [of_group(name) for name in (listing.names if listing else ())]
        if protocol is not Protocol.TLS1_3 and any(_has_own_prime(name) for name in names):
            groups += [of_prime(prime.bits) for prime in facts.dh_primes]
        incomplete = protocol in facts.cipher_suites_incomplete
        listed = listing is not None and listing.complete
        what = repr((protocol, names, [group.name for group in groups], incomplete, listed))
        ref = f"crypto/protocol/{protocol}/{uuid5(NAMESPACE_URL, what)}"
        if ref in self.components:
            return ref
        suites = [self._suite(name) for name in names]
        exchanged = [self.algorithm(group) for group in dict.fromkeys(groups)]
        used = {ref for suite in suites for ref in suite[1]} | set(exchanged)
        properties = ProtocolProperties(
            type=ProtocolPropertiesType.TLS,
            version=str(protocol).removeprefix("TLSv"),
            cipher_suites=[suite[0] for suite in suites],
            crypto_refs=[self.components[one].bom_ref for one in sorted(used)],
        )
        crypto = CryptoProperties(asset_type=CryptoAssetType.PROTOCOL, protocol_properties=properties)
        notes = [_property("cipher_suites", "may lack some")] if incomplete or not names else []
        if not listed and protocol not in {Protocol.SSL2, Protocol.SSL3}:
            notes.append(_property("groups", "may lack some"))
        return self._add(_asset(str(protocol), ref, crypto, notes), used)

    def _suite(self, name: str) -> tuple[ProtocolPropertiesCipherSuite, list[str]]:
        suite = BY_ANY_NAME.get(name)
        if suite is None:  # a bare number: what it consists of is not known
            return ProtocolPropertiesCipherSuite(name=name), []
        refs = [self.algorithm(one) for one in of_suite(suite)]
        size = 3 if suite.since is Protocol.SSL2 else 2
        # One text, as IANA writes it: the library sorts, and the bytes of a code have an order.
        identifiers = [",".join(f"0x{byte:02X}" for byte in suite.code.to_bytes(size, "big"))]
        of_components = [self.components[ref].bom_ref for ref in refs]
        return ProtocolPropertiesCipherSuite(name=name, algorithms=of_components, identifiers=identifiers), refs

    def certificate(self, certificate: ServedCertificate) -> str:
        """The reference of this certificate."""
        ref = f"crypto/certificate/{certificate.fingerprint_sha256}"
        if ref in self.components:
            return ref
        signature = self.algorithm(of_signature(escaped(certificate.signature_algorithm)))
        key = self._key(certificate)
        properties = CertificateProperties(
            subject_name=escaped(certificate.subject),
            issuer_name=escaped(certificate.issuer),
            not_valid_before=certificate.not_before,
            not_valid_after=certificate.not_after,
            signature_algorithm_ref=self.components[signature].bom_ref,
            subject_public_key_ref=None if key is None else self.components[key].bom_ref,
            certificate_format="X.509",
        )
        crypto = CryptoProperties(asset_type=CryptoAssetType.CERTIFICATE, certificate_properties=properties)
        component = _asset(escaped(certificate.subject) or "without a subject", ref, crypto)
        component.hashes.add(HashType(alg=HashAlgorithm.SHA_256, content=certificate.fingerprint_sha256))
        component.properties.add(_property("serial", certificate.serial))
        return self._add(component, [signature, *([] if key is None else [key])])

    def _key(self, certificate: ServedCertificate) -> str | None:
        if certificate.spki_sha256 is None:
            return None
        ref = f"crypto/key/{certificate.spki_sha256}"
        algorithm = self.algorithm(
            of_key(escaped(certificate.key_algorithm), certificate.key_size_bits, certificate.curve)
        )
        properties = RelatedCryptoMaterialProperties(
            type=RelatedCryptoMaterialType.PUBLIC_KEY,
            id=certificate.spki_sha256,
            algorithm_ref=self.components[algorithm].bom_ref,
            size=certificate.key_size_bits,
            format="SubjectPublicKeyInfo",
        )
        crypto = CryptoProperties(
            asset_type=CryptoAssetType.RELATED_CRYPTO_MATERIAL, related_crypto_material_properties=properties
        )
        return self._add(_asset(f"public key {certificate.spki_sha256[:16]}", ref, crypto), [algorithm])


def _has_own_prime(name: str) -> bool:
    suite = BY_ANY_NAME.get(name)
    return suite is not None and suite.agreement in {"DHE", "ADH"}


def _asset(name: str, ref: str, crypto: CryptoProperties, notes: Iterable[Property] = ()) -> Component:
    return Component(
        type=ComponentType.CRYPTOGRAPHIC_ASSET,
        name=name,
        bom_ref=ref,
        crypto_properties=crypto,
        properties=notes,
    )


def _endpoint(target: Target) -> XsUri:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return XsUri(f"{target.protocol}://{host}:{target.port}")


def _service(report: Report) -> Service:
    target, address = report.target, report.address
    notes = [_property(f"label:{name}", value) for name, value in target.labels.items()]
    notes.append(_property("scanned_at", report.result.ended_at.isoformat()))
    if address is not None:
        notes.append(_property("address", address))
    notes += _unknown(report)
    name = escaped(target.name)
    ref = f"service/{name}" if address is None else f"service/{name}/{address}"
    return Service(name=name, bom_ref=ref, endpoints=[_endpoint(target)], properties=notes)


def _unknown(report: Report) -> Iterable[Property]:
    """What is not known of the service, and why; and whether its key exchange resists quantum computers."""
    if not report.result.success:
        for failure in report.result.failures:
            yield _property(f"failed:{failure.probe}", f"{failure.reason}: {failure.detail}")
    handshake, certificates = report.facts.get(HandshakeFacts), report.facts.get(CertificateFacts)
    if handshake is None:
        yield _property("protocols", "not known")
    else:
        for protocol, accepted in handshake.protocols.items():
            if accepted is None:
                yield _property(f"protocol:{protocol}", "not known")
        known = handshake.post_quantum
        yield _property("post_quantum_key_exchange", "not known" if known is None else str(known).lower())
    if certificates is None:
        yield _property("certificates", "not known")
    elif not certificates.deployments_complete:
        yield _property("certificates", "may lack some")


def _used(assets: _Assets, facts: Facts) -> Iterable[str]:
    handshake, certificates = facts.get(HandshakeFacts), facts.get(CertificateFacts)
    if handshake is not None:
        for protocol in handshake.accepted:
            yield assets.protocol(handshake, protocol)
        for name in handshake.signature_schemes.names if handshake.signature_schemes else ():
            yield assets.algorithm(of_signature(name))
    if certificates is not None:
        for deployment in certificates.deployments:
            for certificate in deployment.chain:
                yield assets.certificate(certificate)


def make_bom(reports: ReportSet) -> Bom:
    """The bill, equal for equal reports."""
    assets = _Assets()
    several: Sequence[Report] = [report for of_target in reports.reports for report in of_target]
    services = [(_service(report), set(_used(assets, report.facts))) for report in several]
    for target in reports.not_scanned:
        name = escaped(target.name)
        notes = [_property("protocols", "not known"), _property("certificates", "not known")]
        one = Service(name=name, bom_ref=f"service/{name}", endpoints=[_endpoint(target)], properties=notes)
        services.append((one, set()))
    of_what = repr((reports.made_at, [str(one.bom_ref) for one, _ in services], sorted(assets.uses)))
    exporter = Component(type=ComponentType.APPLICATION, name="tls-posture-exporter", version=__version__)
    bom = Bom(
        services=[service for service, _ in services],
        components=assets.components.values(),
        serial_number=uuid5(NAMESPACE_URL, of_what),
        metadata=BomMetaData(timestamp=reports.made_at, tools=ToolRepository(components=[exporter])),
    )
    for ref, uses in assets.uses.items():
        bom.register_dependency(assets.components[ref], [assets.components[one] for one in uses])
    for service, uses in services:
        bom.register_dependency(service, [assets.components[one] for one in uses])
    return bom


def _render(reports: ReportSet) -> str:
    outputter = make_outputter(make_bom(reports), OutputFormat.JSON, SchemaVersion.V1_6)
    return outputter.output_as_string(indent=2) + "\n"


FORMAT = Format("cyclonedx", "application/vnd.cyclonedx+json; version=1.6", "cdx.json", _render)
