"""The typical Huffman tables of ITU-T T.81, annex K.3: the only ones that JPEG over RTP knows."""

from penstock.restream.jpeg_image import HuffmanTable, JpegImage

DC_LUMA = HuffmanTable(bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]), bytes(range(12)))
DC_CHROMA = HuffmanTable(bytes([0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]), bytes(range(12)))
AC_LUMA = HuffmanTable(
    bytes([0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D]),
    bytes.fromhex(
        "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a"
        "3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a929394"
        "95969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8"
        "e9eaf1f2f3f4f5f6f7f8f9fa"
    ),
)
AC_CHROMA = HuffmanTable(
    bytes([0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77]),
    bytes.fromhex(
        "0001020311040521310612415107617113223281081442 91a1b1c109233352f0156272d10a162434e125f11718191a262728"
        "292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92"
        "939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7"
        "e8e9eaf2f3f4f5f6f7f8f9fa"
    ),
)


def tables_of(chroma: bool) -> tuple[HuffmanTable, HuffmanTable]:
    """(DC, AC) for luma or chroma."""
    return (DC_CHROMA, AC_CHROMA) if chroma else (DC_LUMA, AC_LUMA)


def uses_typical_tables(image: JpegImage) -> bool:
    """Whether every component is coded with the tables that a receiver assumes; absent tables are those."""
    for index, component in enumerate(image.components):
        dc, ac = tables_of(index > 0)
        # Tables left out are the typical ones, numbered 0 for luma and 1 for chroma, as in Motion JPEG files.
        usual = {(0, 0): DC_LUMA, (1, 0): AC_LUMA, (0, 1): DC_CHROMA, (1, 1): AC_CHROMA}
        have = usual | image.huffman
        if have.get((0, component.dc_table)) != dc or have.get((1, component.ac_table)) != ac:
            return False
    return True
