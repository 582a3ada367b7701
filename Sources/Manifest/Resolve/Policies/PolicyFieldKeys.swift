/// The fields that policies are attached and merged by; what each topic reads stands with the topic.
extension FieldKey {
    static let authorization = FieldKey("authorization")
    static let clientSelectors = FieldKey("clientSelectors")
    static let global = FieldKey("global")
    static let local = FieldKey("local")
    static let preserveXRequestID = FieldKey("preserveXRequestID")
    static let rateLimit = FieldKey("rateLimit")
}
