// Rights for turns of tests that are not about rights.

@testable import Bridge

extension TurnProfile {
  /// Reads only, asks nobody.
  static let test = TurnProfile(workingDirectory: "/tmp", sandbox: .readOnly, approvals: .never)
}

extension Turn {
  /// A turn with the least rights.
  convenience init(_ request: TurnRequest, requestID: String, owner: Principal = .everybody) {
    self.init(request, profile: .test, requestID: requestID, owner: owner)
  }
}
