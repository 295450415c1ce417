// The command `bridged version`.

import ArgumentParser
import Bridge

struct Version: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Print the version.")

  func run() {
    print("bridged \(BridgeVersion.text)")
  }
}
