import Core

/// The part of a ``Shape`` that is looked at for every node, in plain memory: looking counts no references.
struct ShapeTable {
    let base: Shape.Base
    let isNullable: Bool
    let hasRules: Bool
    let fieldCount: Int
    /// One bit for each field, by its position, that must be written.
    let requiredMask: UInt64
    let entries: UnsafeMutablePointer<Entry>
    /// Of a list's items or a map's values; otherwise itself.
    let items: UnsafePointer<ShapeTable>
    let shape: Unmanaged<Shape>

    struct Entry {
        let name: ByteView
        let table: UnsafePointer<ShapeTable>
        /// Given by ``Schema`` when it numbers the names.
        var id = NameID.none
        /// The record of the default among the schema's defaults, or -1.
        var defaultIndex: Int32 = -1

        init(name: ByteView, table: UnsafePointer<ShapeTable>) {
            self.name = name
            self.table = table
        }
    }

    nonisolated(unsafe) static let any = UnsafePointer(Shape.any.table)

    /// The position of the field with this number.
    func position(of id: NameID) -> Int? {
        for position in 0..<fieldCount where entries[position].id == id { return position }
        return nil
    }

    /// The position of the field with this name.
    func position(of name: ByteView) -> Int? {
        for position in 0..<fieldCount where entries[position].name.equals(name) { return position }
        return nil
    }

    /// What a field of this name must be; anything, when there is none.
    func table(of name: ByteView) -> UnsafePointer<ShapeTable> {
        if base == .map { return items }
        return position(of: name).map { entries[$0].table } ?? Self.any
    }
}
