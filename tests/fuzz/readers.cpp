#include "fuzz/readers.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "files/npy.h"
#include "files/pickle.h"
#include "files/safetensors.h"
#include "files/zip.h"
#include "h5bridge/h5bridge.h"
#include "paths.h"
#include "unit/temporary_folder.h"

namespace h5bridge::fuzz {
namespace {

namespace fs = std::filesystem;
using Bytes = std::span<const std::byte>;

// More is not read of one file: the size of a tensor is the file's to state.
constexpr std::uint64_t kMostRead = std::uint64_t{1} << 24;

// Errors are what a malformed file has to give; "internal error" is what h5bridge says where it did not expect one, and
// what a file may say, too, that a message quotes.
template <typename Work>
void expecting_errors(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    const bool is_ours = dynamic_cast<const SystemFailure*>(&error) != nullptr;
    if (is_ours && std::string_view(error.what()).find("internal error") != std::string_view::npos)
      throw std::logic_error(error.what());
  }
}

std::string written(const TemporaryFolder& folder, Bytes bytes, const std::string& name) {
  const std::string path = folder / name;
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return path;
}

void use(const Tensor& tensor) {
  if (tensor.byte_count() <= kMostRead) tensor.read();
}

ByteSourcePtr in_memory(Bytes bytes) { return bytes_in_memory({bytes.begin(), bytes.end()}); }

// As far as `convert` goes, to one of the formats that there are: another for files of other sizes.
void use(const Model& model, const TemporaryFolder& folder, std::size_t size) {
  std::uint64_t total = 0;
  for (const auto& [name, tensor] : model.weights) {
    expecting_errors([&] { use(tensor); });
    total += tensor.byte_count();
  }
  static constexpr std::array kFormats{"again.json", "again.h5", "again.keras", "again.pth", "again.py"};
  if (total <= kMostRead) expecting_errors([&] { save(model, folder / kFormats.at(size % kFormats.size())); });
}

void load_and_use(Bytes bytes, const std::string& name) {
  const TemporaryFolder folder;
  expecting_errors([&] { use(load(written(folder, bytes, name)), folder, bytes.size()); });
}

void read_zip(Bytes bytes) {
  expecting_errors([&] {
    const ZipReader archive(in_memory(bytes));
    for (const ZipEntry& entry : archive.entries())
      if (entry.size <= kMostRead) expecting_errors([&] { archive.read(entry); });
  });
}

void read_tensors(const std::vector<NamedTensor>& tensors) {
  for (const auto& [name, tensor] : tensors) expecting_errors([&] { use(tensor); });
}

std::vector<std::byte> whole_file(const fs::path& path) { return read_all(*open_file(path)); }

fs::path testdata(const std::string& name) { return fs::path(TESTDATA) / name; }

// The archive with other bytes in the entry whose name ends so.
std::vector<std::byte> with_entry(const std::string& archive, std::string_view ending, Bytes bytes) {
  const ZipReader reader(open_file(testdata(archive)));
  std::ostringstream out;
  ZipWriter writer(out);
  for (const ZipEntry& entry : reader.entries()) {
    const std::vector<std::byte> own =
        entry.name.ends_with(ending) ? std::vector<std::byte>(bytes.begin(), bytes.end()) : reader.read(entry);
    writer.add(entry.name, std::string_view(reinterpret_cast<const char*>(own.data()), own.size()));
  }
  writer.finish();
  const std::string text = out.str();
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

std::function<void(Bytes)> whole(const std::string& name) {
  return [name](Bytes bytes) { load_and_use(bytes, name); };
}

// A folder of testdata/ with other bytes in one of its files, or in an entry of one: "model.pth:data.pkl".
std::function<void(Bytes)> within_folder(const std::string& name, const std::string& file) {
  return [name, file](Bytes bytes) {
    const std::size_t colon = file.find(':');
    const TemporaryFolder folder;
    fs::copy(testdata(name), folder / "copy", fs::copy_options::recursive);
    const std::string path = file.substr(0, colon);
    if (colon == std::string::npos)
      written(folder, bytes, "copy/" + path);
    else
      written(folder, with_entry(name + "/" + path, file.substr(colon + 1), bytes), "copy/" + path);
    expecting_errors([&] { use(load(folder / "copy"), folder, bytes.size()); });
  };
}

std::function<void(Bytes)> within(const std::string& archive, const std::string& ending) {
  return [archive, ending](Bytes bytes) { load_and_use(with_entry(archive, ending, bytes), "file"); };
}

std::vector<std::byte> seed(const std::string& name) {
  const std::size_t colon = name.find(':');
  if (colon == std::string::npos) return whole_file(testdata(name));
  const ZipReader archive(open_file(testdata(name.substr(0, colon))));
  const std::string ending = name.substr(colon + 1);
  const auto found =
      std::ranges::find_if(archive.entries(), [&](const auto& entry) { return entry.name.ends_with(ending); });
  if (found == archive.entries().end()) throw std::logic_error("no seed " + name);
  return archive.read(*found);
}

}  // namespace

const std::vector<Reader>& readers() {
  static const std::string checkpoint = "golden/checkpoint/model.pth", program = "face_net/model.pt2",
                           script = "torch_files/torch_2_script.pt", archive = "tf_keras_archives/tf_keras_2_21.keras",
                           deepspeed = "torch_files/deepspeed/global_step3",
                           deepspeed_model = "mp_rank_00_model_states.pt:data.pkl",
                           deepspeed_rank = "zero_pp_rank_1_mp_rank_00_optim_states.pt:data.pkl";
  static const std::vector<Reader> table{
      {"json",
       [](Bytes bytes) {
         expecting_errors([&] { Json::parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}).dump(1); });
       },
       {"my_model/model.json", "golden/masks/model.json"}},
      {"npy", [](Bytes bytes) { expecting_errors([&] { use(read_npy(in_memory(bytes))); }); }, {"digits/labels.npy"}},
      {"npz",
       [](Bytes bytes) { expecting_errors([&] { read_tensors(read_npz(in_memory(bytes))); }); },
       {"my_model/inputs.npz", "dialects/keras_2_2/inputs.npz"}},
      {"zip", read_zip, {"my_model/model.pth", "my_model/inputs.npz", "torch_files/big_endian.pth"}},
      {"pickle",
       [](Bytes bytes) { expecting_errors([&] { pickle::describe(pickle::read(bytes).root()); }); },
       {checkpoint + ":data.pkl", "torch_files/torch_0_3_module.pth", "torch_files/torch_0_1_objects.pth"}},
      {"safetensors",
       [](Bytes bytes) { expecting_errors([&] { read_tensors(safetensors::read(in_memory(bytes)).tensors); }); },
       {}},
      {"architecture",
       whole("model.json"),
       {"my_model/model.json", "golden/checkpoint/model.json", "golden/recurrent/model.json", "golden/masks/model.json",
        "golden/spelling/model.json"}},
      {"torch_file",
       whole("model.pth"),
       {"my_model/model.pth", checkpoint, "torch_files/big_endian.pth", "torch_files/torch_0_1_12.pth",
        "torch_files/torch_0_4.pth", "torch_files/torch_0_3_module.pth", "torch_files/torch_2_module.pth",
        "torch_files/torch_0_1.tar"}},
      {"torch_pickle",
       within("my_model/model.pth", "data.pkl"),
       {"my_model/model.pth:data.pkl", checkpoint + ":data.pkl", "golden/recurrent/model.pth:data.pkl"}},
      {"torchscript", whole("model.pt"), {script}},
      {"torchscript_pickle", within(script, "data.pkl"), {script + ":data.pkl"}},
      {"distributed",
       within_folder("torch_files/torch_2_distributed", ".metadata"),
       {"torch_files/torch_2_distributed/.metadata"}},
      {"deepspeed_model", within_folder(deepspeed, deepspeed_model), {deepspeed + "/" + deepspeed_model}},
      {"deepspeed_rank", within_folder(deepspeed, deepspeed_rank), {deepspeed + "/" + deepspeed_rank}},
      {"exported_program", within(program, "models/model.json"), {program + ":models/model.json"}},
      {"exported_weights", within(program, "model_weights_config.json"), {program + ":model_weights_config.json"}},
      {"keras_json",
       whole("config.json"),
       {"keras_2/dense.json", "keras_2/cnn.json", "keras_2/siamese.json", "keras_2/recurrent_parts.json",
        "keras_2/attention.json", "dialects/keras_2_2_weights/model.json", archive + ":config.json"}},
      {"keras_archive", within(archive, "config.json"), {archive + ":config.json"}},
      {"keras_h5",
       whole("model.h5"),
       {"dialects/keras_2_0/model.h5", "dialects/keras_2_1_theano/model.h5", "dialects/tf_keras_1/model.h5",
        "my_keras_model/model.h5", "dialects/keras_2_2_weights/model.h5"}},
      {"keras_objects", within(archive, "model.weights.h5"), {archive + ":model.weights.h5"}},
      {"keras_shards", whole("model.weights.json"), {}},
  };
  return table;
}

std::vector<std::vector<std::byte>> seeds_of(const Reader& reader) {
  std::vector<std::vector<std::byte>> result;
  for (const std::string& name : reader.seeds) result.push_back(seed(name));
  return result;
}

}  // namespace h5bridge::fuzz
