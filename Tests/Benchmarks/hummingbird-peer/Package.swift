// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "HummingbirdPeer",
  dependencies: [.package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1")],
  targets: [
    .executableTarget(
      name: "HummingbirdPeer", dependencies: [.product(name: "Hummingbird", package: "hummingbird")])
  ]
)
