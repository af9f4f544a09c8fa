/// Words of a command line.
enum ShellWord {
    /// A word as a shell takes it literally.
    static func quoted(_ word: String) -> String {
        let plain = word.allSatisfy {
            $0.isASCII && ($0.isLetter || $0.isNumber || "_-./=:,+@%".contains($0))
        }
        if plain, !word.isEmpty { return word }
        return "'" + word.replacing("'", with: "'\\''") + "'"
    }
}
