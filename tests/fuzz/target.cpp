// libFuzzer's side of one reader, which the variable H5BRIDGE_READER names. With --list it prints the readers, with
// --seeds READER FOLDER it writes what a run begins with.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "fuzz/readers.h"

namespace {

using h5bridge::fuzz::Reader;

const Reader& reader_of(const std::string& name) {
  for (const Reader& reader : h5bridge::fuzz::readers())
    if (reader.name == name) return reader;
  std::cerr << "no reader \"" << name << "\"\n";
  std::exit(2);
}

void write_seeds(const Reader& reader, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  int number = 0;
  for (const auto& seed : h5bridge::fuzz::seeds_of(reader))
    std::ofstream(folder / ("seed" + std::to_string(number++)), std::ios::binary)
        .write(reinterpret_cast<const char*>(seed.data()), static_cast<std::streamsize>(seed.size()));
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  const std::string option = *count > 1 ? (*arguments)[1] : "";
  if (option == "--list") {
    for (const Reader& reader : h5bridge::fuzz::readers()) std::cout << reader.name << "\n";
    std::exit(0);
  }
  if (option == "--seeds" && *count == 4) {
    write_seeds(reader_of((*arguments)[2]), (*arguments)[3]);
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const char* name = std::getenv("H5BRIDGE_READER");
  static const Reader& reader = reader_of(name ? name : "");
  reader.run({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
