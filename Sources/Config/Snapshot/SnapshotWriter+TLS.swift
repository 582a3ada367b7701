import Core

extension SnapshotWriter {
    mutating func write(_ plan: ServerTLSPlan) -> Table<ServerTLSConfig> {
        var identity = IdentityHash()
        for certificate in plan.certificates { identity.add(certificate) }
        identity.add(plan.parameters)
        var validation = Table<ClientValidationConfig>()
        if let plan = plan.clientValidation {
            identity.add(plan)
            validation = block.allocate(ClientValidationConfig.self, count: 1)
            let config = ClientValidationConfig(
                mode: plan.mode, authorities: text(plan.authorities), revocationLists: text(plan.revocationLists),
                checksOnlyLeafRevocation: plan.checksOnlyLeafRevocation, allowsExpired: plan.allowsExpired,
                spkiHashes: texts(plan.spkiHashes),
                certificateHashes: texts(plan.certificateHashes), subjectAltNames: write(plan.subjectAltNames),
                trustDomain: text(plan.trustDomain))
            guard block.failure == nil else { return Table() }
            block[validation, 0] = config
        }
        let table = block.allocate(ServerTLSConfig.self, count: 1)
        let config = ServerTLSConfig(
            identity: identity.value, certificates: write(plan.certificates), parameters: write(plan.parameters),
            clientValidation: validation)
        guard block.failure == nil else { return Table() }
        block[table, 0] = config
        return table
    }

    mutating func write(_ plan: UpstreamTLSPlan) -> Table<UpstreamTLSConfig> {
        var identity = IdentityHash()
        let trust: UpstreamTLSConfig.Trust
        var authorities = TextRef()
        switch plan.trust {
        case .bundle(let bundle):
            trust = .bundle
            authorities = text(bundle)
            identity.add(bundle)
        case .system: trust = .system
        case .none: trust = .none
        }
        identity.add(trust.rawValue)
        identity.add(plan.serverName)
        identity.add(plan.hostname)
        identity.add(plan.verifiesServerName ? 1 : 0)
        for match in plan.subjectAltNames { identity.add(match) }
        identity.add(plan.trustDomain)
        if let certificate = plan.clientCertificate { identity.add(certificate) }
        identity.add(plan.parameters)
        let table = block.allocate(UpstreamTLSConfig.self, count: 1)
        let config = UpstreamTLSConfig(
            identity: identity.value, trust: trust, authorities: authorities, serverName: text(plan.serverName),
            hostname: text(plan.hostname), verifiesServerName: plan.verifiesServerName,
            subjectAltNames: write(plan.subjectAltNames), trustDomain: text(plan.trustDomain),
            clientCertificate: write(plan.clientCertificate.map { [$0] } ?? []), parameters: write(plan.parameters))
        guard block.failure == nil else { return Table() }
        block[table, 0] = config
        return table
    }

    mutating func write(_ plan: TunnelPlan) -> Table<TunnelConfig> {
        let tls = write(plan.tls)
        let config = TunnelConfig(
            tls: tls, port: plan.port, authority: text(plan.authority), baggage: text(plan.baggage),
            isPerCall: plan.isPerCall)
        return block.append(contentsOf: [config])
    }

    private mutating func write(_ plans: [CertificatePlan]) -> Table<CertificateConfig> {
        let table = block.allocate(CertificateConfig.self, count: plans.count)
        for i in plans.indices {
            let plan = plans[i]
            let response = plan.ocspResponse.withUnsafeBufferPointer {
                text(ByteView($0.baseAddress, count: $0.count))
            }
            let config = CertificateConfig(
                name: text(plan.name), chain: text(plan.chain), key: text(plan.key), ocspResponse: response,
                notAfter: plan.notAfter)
            guard block.failure == nil else { return Table() }
            block[table, i] = config
        }
        return table
    }

    private mutating func write(_ plan: TLSParameters) -> TLSParametersConfig {
        TLSParametersConfig(
            minimumVersion: plan.minimumVersion, maximumVersion: plan.maximumVersion, ciphers: texts(plan.ciphers),
            groups: texts(plan.groups), signatureAlgorithms: texts(plan.signatureAlgorithms), alpn: texts(plan.alpn))
    }

    private mutating func write(_ plans: [SubjectAltNameMatchPlan]) -> Table<SubjectAltNameMatchConfig> {
        let table = block.allocate(SubjectAltNameMatchConfig.self, count: plans.count)
        for i in plans.indices {
            let config = SubjectAltNameMatchConfig(
                nameType: plans[i].nameType, matchType: plans[i].matchType, value: text(plans[i].value),
                oid: text(plans[i].oid),
                pattern: plans[i].matchType == .regularExpression ? pattern(plans[i].value) : .max)
            guard block.failure == nil else { return Table() }
            block[table, i] = config
        }
        return table
    }
}

extension IdentityHash {
    fileprivate mutating func add(_ certificate: CertificatePlan) {
        add(certificate.chain)
        add(certificate.key)
        for byte in certificate.ocspResponse { add(byte) }
    }

    fileprivate mutating func add(_ parameters: TLSParameters) {
        add(parameters.minimumVersion.rawValue)
        add(parameters.maximumVersion.rawValue)
        for list in [parameters.ciphers, parameters.groups, parameters.signatureAlgorithms, parameters.alpn] {
            for name in list { add(name) }
            add("")
        }
    }

    fileprivate mutating func add(_ plan: ClientValidationPlan) {
        add(plan.mode.rawValue)
        add(plan.authorities)
        add(plan.revocationLists)
        add(plan.checksOnlyLeafRevocation ? 1 : 0 as UInt8)
        add(plan.allowsExpired ? 1 : 0 as UInt8)
        for list in [plan.spkiHashes, plan.certificateHashes] {
            for hash in list { add(hash) }
            add("")
        }
        for match in plan.subjectAltNames { add(match) }
        add(plan.trustDomain)
    }

    fileprivate mutating func add(_ match: SubjectAltNameMatchPlan) {
        add(match.nameType.rawValue)
        add(match.matchType.rawValue)
        add(match.value)
        add(match.oid)
    }
}
