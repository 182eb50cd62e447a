// Files that our writer, or a hand, made. tests/python/test_torch_file.py compares with torch itself.
#include <catch2/catch.hpp>
#include <functional>
#include <random>
#include <sstream>

#include "files/little_endian.h"
#include "files/pickle_writer.h"
#include "h5bridge/error.h"
#include "pytorch/file.h"
#include "pytorch/optimizer.h"

using namespace h5bridge;
using Catch::Matchers::Contains;

namespace {

std::mt19937 random_engine(1);

Tensor random_tensor(DType dtype, const Shape& shape) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(element_count(shape)) * size_of(dtype));
  for (std::byte& byte : bytes)
    byte = static_cast<std::byte>(dtype == DType::Bool ? random_engine() % 2 : random_engine());
  return Tensor(dtype, shape, bytes_in_memory(std::move(bytes)));
}

ByteSourcePtr source_of(std::string_view text) {
  const auto bytes = bytes_of(text);
  return bytes_in_memory({bytes.begin(), bytes.end()});
}

std::string written(const Model& model, const TorchWriteOptions& options = {}) {
  std::ostringstream out;
  write_torch_file(model, out, options);
  return out.str();
}

Model read(std::string_view file, const std::string& key = "") {
  return read_torch_file(source_of(file), {.key = key});
}

/// An archive around a pickle, with storage "0" of the bytes 0, 1, 2, ...
std::string archive(const std::function<void(pickle::Writer&)>& compose, std::size_t storage_size = 24) {
  pickle::Writer code;
  compose(code);
  std::string storage;
  while (storage.size() < storage_size) storage.push_back(static_cast<char>(storage.size()));
  std::ostringstream out;
  ZipWriter zip(out);
  zip.add("a/data.pkl", code.finish());
  zip.add("a/data/0", storage);
  zip.finish();
  return out.str();
}

struct TensorCall {
  std::string function = "_rebuild_tensor_v2";
  std::string storage_class = "ByteStorage";
  std::string key = "0";
  std::string location = "cuda:0";
  std::int64_t length = 24;
  std::int64_t offset = 0;
  Shape shape = {2, 3};
  std::vector<std::int64_t> strides = {3, 1};

  void put(pickle::Writer& code) const {
    const auto tuple = [&](const std::vector<std::int64_t>& values) {
      code.mark();
      for (const std::int64_t value : values) code.integer(value);
      code.tuple();
    };
    code.global("torch._utils", function);
    code.mark();
    code.mark();
    code.text("storage");
    code.global("torch", storage_class);
    code.text(key);
    code.text(location);
    code.integer(length);
    code.tuple();
    code.persistent_id();
    code.integer(offset);
    tuple(shape);
    tuple(strides);
    code.boolean(true);
    code.ordered_dict();
    code.tuple();
    code.reduce();
  }
};

/// A state_dict {"w": the tensor}.
void put_state_dict(pickle::Writer& code, const TensorCall& call = {}) {
  code.empty_dict();
  code.mark();
  code.text("w");
  call.put(code);
  code.set_items();
}

std::string file_with(const TensorCall& call) {
  return archive([&](pickle::Writer& code) { put_state_dict(code, call); });
}

/// A dict of the given entries.
std::string checkpoint(const std::vector<std::pair<std::string, std::function<void(pickle::Writer&)>>>& entries) {
  return archive([&](pickle::Writer& code) {
    code.empty_dict();
    code.mark();
    for (const auto& [name, put] : entries) {
      code.text(name);
      put(code);
    }
    code.set_items();
  });
}
const auto put_dict = [](pickle::Writer& code) { put_state_dict(code); };

Model adam_model() {
  Model model;
  model.weights.add("fc.weight", random_tensor(DType::Float32, {3, 4}));
  model.weights.add("fc.bias", random_tensor(DType::Float32, {3}));
  Optimizer adam;
  adam.kind = "Adam";
  const Json::Object settings{{"lr", 0.001},      {"betas", Json::Array{0.9, 0.999}},
                              {"eps", 1e-8},      {"weight_decay", 0},
                              {"amsgrad", false}, {"foreach", nullptr}};
  adam.hyperparameters = settings;
  adam.groups = {settings};
  adam.groups[0].set("params", Json::Array{"fc.weight", "fc.bias"});
  for (const auto& [name, tensor] : model.weights)
    adam.slots[name] = {{"step", random_tensor(DType::Float32, {})},
                        {"exp_avg", random_tensor(DType::Float32, tensor.shape())},
                        {"exp_avg_sq", random_tensor(DType::Float32, tensor.shape())}};
  model.training = Training{7, 0.25, adam, std::nullopt};
  return model;
}

void check_equal(const Weights& a, const Weights& b) {
  REQUIRE(a.size() == b.size());
  auto other = b.begin();
  for (const auto& [name, tensor] : a) {
    CHECK(name == other->name);
    CHECK(bit_equal(tensor, other->tensor));
    ++other;
  }
}

}  // namespace

TEST_CASE("torch file: weights of every type are written and read back, in their order") {
  Model model;
  for (const DType dtype :
       {DType::UInt16, DType::Float64, DType::Float32, DType::Float16, DType::BFloat16, DType::Float8E4M3FN,
        DType::Float8E5M2, DType::Int64, DType::Int32, DType::Int16, DType::Int8, DType::UInt64, DType::UInt32,
        DType::UInt8, DType::Bool, DType::Complex64, DType::Complex128})
    for (const Shape& shape : {Shape{}, Shape{0, 2}, Shape{3, 5}}) {
      const std::string name = std::string(name_of(dtype)) + to_string(shape);
      const std::int64_t axes[] = {1, 0};
      model.weights.add(name, random_tensor(dtype, shape));
      if (shape.size() == 2) model.weights.add(name + ".t", random_tensor(dtype, shape).permute(axes));
    }
  const Model back = read(written(model));
  check_equal(model.weights, back.weights);
  CHECK(back.format == "torch");
  CHECK_FALSE(back.training);
}

TEST_CASE("torch file: tied tensors share a storage again, others do not") {
  Model model;
  const Tensor tied = random_tensor(DType::Float32, {4, 2});
  model.weights.add("a", tied);
  model.weights.add("b", tied);
  model.weights.add("part", tied.slice(0, 0, 2));
  const Model back = read(written(model));
  CHECK(back.weights.find("a")->source() == back.weights.find("b")->source());
  CHECK(back.weights.find("a")->source() != back.weights.find("part")->source());
  check_equal(model.weights, back.weights);
}

TEST_CASE("torch file: the _metadata of a state_dict is kept") {
  Model model;
  model.weights.add("bn.weight", zeros(DType::Float32, {2}));
  const Json metadata = Json::Object{{"", Json::Object{{"version", 1}}}, {"bn", Json::Object{{"version", 2}}}};
  model.metadata.set("torch", Json::Object{{"state_dict_metadata", metadata}});
  CHECK(read(written(model)).metadata.find("torch")->at("state_dict_metadata") == metadata);
}

TEST_CASE("torch file: a checkpoint with its optimizer is written and read back") {
  Model model = adam_model();
  Model back = read(written(model, {.checkpoint = true}));
  check_equal(model.weights, back.weights);
  REQUIRE(back.training);
  CHECK(back.training->epoch == 7);
  CHECK(back.training->loss == 0.25);
  REQUIRE(back.training->optimizer);
  Optimizer& adam = *back.training->optimizer;
  CHECK(adam.kind == "Adam");
  CHECK(Json(adam.hyperparameters) == Json(model.training->optimizer->hyperparameters));
  CHECK(*adam.groups[0].find("params") == Json(Json::Array{0, 1}));
  CHECK(adam.slots.contains("0"));
  CHECK(back.metadata.find("torch")->at("keys") == Json(Json::Object{{"optimizer", "optimizer_state_dict"},
                                                                     {"epoch", "epoch"},
                                                                     {"loss", "loss"},
                                                                     {"state_dict", "model_state_dict"}}));

  CHECK(state_shape(adam, 0) == Shape{3, 4});
  name_optimizer_parameters(adam, {"fc.weight", "fc.bias"});
  CHECK(*adam.groups[0].find("params") == Json(Json::Array{"fc.weight", "fc.bias"}));
  for (const auto& [name, slots] : model.training->optimizer->slots) {
    REQUIRE(adam.slots.at(name).size() == slots.size());
    for (std::size_t i = 0; i < slots.size(); ++i) {
      CHECK(adam.slots.at(name)[i].name == slots[i].name);
      CHECK(bit_equal(adam.slots.at(name)[i].tensor, slots[i].tensor));
    }
  }

  model.training->optimizer.reset();
  CHECK_THROWS_AS(written(model, {.checkpoint = true}), Unsupported);
  CHECK_FALSE(read(written(model, {.checkpoint = true, .optimizer = false})).training->optimizer);
}

TEST_CASE("torch file: the optimizer's kind is told by its hyperparameters") {
  const auto kind_with = [](const char* name, const Json& value) {
    Model model = adam_model();
    model.training->optimizer->groups[0].set(name, value);
    return read(written(model, {.checkpoint = true})).training->optimizer->kind;
  };
  CHECK(kind_with("decoupled_weight_decay", true) == "AdamW");
  CHECK(kind_with("weight_decay", 0.01) == "unknown");  // Adam or AdamW of an older PyTorch
}

TEST_CASE("torch file: tensors are views of their storage, wherever they were") {
  const auto values = [](const TensorCall& call) {
    return read(file_with(call)).weights.find("w")->values<std::uint8_t>();
  };
  using V = std::vector<std::uint8_t>;
  CHECK(values({}) == V{0, 1, 2, 3, 4, 5});
  CHECK(values({.offset = 2, .strides = {1, 2}}) == V{2, 4, 6, 3, 5, 7});
  CHECK(values({.location = "mps", .strides = {0, 1}}) == V{0, 1, 2, 0, 1, 2});
  CHECK(values({.offset = 23, .shape = {}, .strides = {}}) == V{23});
  CHECK(values({.function = "_rebuild_tensor"}) == V{0, 1, 2, 3, 4, 5});
}

TEST_CASE("torch file: tensors that leave their storage, or are none") {
  const auto malformed = [](const TensorCall& call, const std::string& message) {
    CHECK_THROWS_AS(read(file_with(call)), MalformedFile);
    CHECK_THROWS_WITH(read(file_with(call)), Contains("tensor 'w': ") && Contains(message));
  };
  malformed({.offset = 19}, "reaches element 24 of a storage of 24");
  malformed({.offset = -1}, "goes backwards");
  malformed({.strides = {12, 6}}, "reaches element 24 of a storage of 24");
  malformed({.shape = {2, 1LL << 62}, .strides = {1, 4}}, "overflows");
  malformed({.shape = {1LL << 40}, .strides = {0}}, "repeats 24 bytes to");
  malformed({.strides = {1}}, "has not one stride for each axis");
  malformed({.key = "1"}, "the storage data/1 is not in the archive");
  malformed({.length = 25}, "the storage data/0 has 24 bytes, expected 25 elements of 1");
  malformed({.storage_class = "FloatStorage", .length = 24},
            "the storage data/0 has 24 bytes, expected 24 elements of 4");
  malformed({.length = -1}, "the storage data/0 has 24 bytes");
  malformed({.storage_class = "UntypedStorage"}, "its storage has no type");
  malformed({.function = "_rebuild_parameter"}, "expected a tensor, found a persistent id");
  malformed({.function = "_rebuild_tensor_v3"}, "_rebuild_tensor_v3 has 6 arguments, expected 7");

  CHECK_THROWS_AS(read(file_with({.function = "_rebuild_qtensor"})), Unsupported);
  CHECK_THROWS_WITH(read(file_with({.function = "_rebuild_qtensor"})), "tensor 'w': it is a quantized tensor");
  CHECK_THROWS_WITH(read(file_with({.function = "_rebuild_sparse_tensor"})), "tensor 'w': it is a sparse tensor");
  CHECK_THROWS_WITH(read(file_with({.storage_class = "QInt8Storage"})),
                    "tensor 'w': its elements are those of torch.QInt8Storage, which have no equivalent here");
}

TEST_CASE("torch file: the state_dict of a checkpoint is found where only one can be meant") {
  const auto one = [](pickle::Writer& code) { code.integer(1); };
  const Model model =
      read(checkpoint({{"epoch", one}, {"net", put_dict}, {"note", [](pickle::Writer& code) { code.text("hi"); }}}));
  CHECK(model.weights.find("w"));
  CHECK(model.training->epoch == 1);
  CHECK(model.metadata.find("torch")->at("checkpoint") == Json(Json::Object{{"note", "hi"}}));

  const std::string two = checkpoint({{"model", put_dict}, {"ema.x", put_dict}});
  CHECK_THROWS_AS(read(two), UsageError);
  CHECK_THROWS_WITH(read(two),
                    "several entries could be the state_dict: 'model', 'ema.x'; choose one with LoadOptions::key");
  CHECK(read(two, "ema.x").weights.size() == 1);
  CHECK_THROWS_WITH(read(two, "absent"), "there is no entry 'absent' (LoadOptions::key); there are 'model', 'ema.x'");
  CHECK_THROWS_WITH(read(checkpoint({{"epoch", one}, {"net", put_dict}}), "epoch"),
                    "the entry 'epoch' (LoadOptions::key) is an int, not a dict of names to tensors");

  const auto nested = [](pickle::Writer& code) {
    code.empty_dict();
    code.mark();
    code.text("g");
    put_state_dict(code);
    code.text("d");
    put_state_dict(code);
    code.set_items();
  };
  CHECK_THROWS_WITH(read(checkpoint({{"nets", nested}})), Contains("'nets.g', 'nets.d'"));
  CHECK(read(checkpoint({{"nets", nested}}), "nets.d").weights.size() == 1);

  // Lightning's callbacks: a dict from a path to a tensor.
  CHECK(read(checkpoint({{"nets", nested}, {"state_dict", put_dict}})).metadata.find("torch")->at("keys") ==
        Json(Json::Object{{"state_dict", "state_dict"}}));
  CHECK_THROWS_WITH(read(checkpoint({{"nets", nested}, {"weights", put_dict}})),
                    Contains("'nets.g', 'nets.d', 'weights'"));

  CHECK_THROWS_AS(read(checkpoint({{"epoch", one}})), Unsupported);
  CHECK_THROWS_WITH(
      read(checkpoint({{"epoch", one}})),
      "it holds a dict and no state_dict, which would be a dict of names to tensors (its entries: 'epoch')");
}

TEST_CASE("torch file: a pickled module is named, not run") {
  const auto module = [](pickle::Writer& code) {
    code.global("lenet", "LeNet");
    code.empty_tuple();
    code.reduce();
    code.empty_dict();
    code.build();
  };
  CHECK_THROWS_AS(read(archive(module)), Unsupported);
  CHECK_THROWS_WITH(read(archive(module)), Contains("it is a pickled object of class lenet.LeNet"));
  CHECK_THROWS_WITH(read(checkpoint({{"model", module}})),
                    Contains("'model' is a pickled object of class lenet.LeNet"));
  const TorchFile file(source_of(archive(module)));
  CHECK(file.to_json(file.root()).dump() == R"({"$class": "lenet.LeNet", "state": {}})");
}

TEST_CASE("torch file: what is no torch.save archive is told apart") {
  const auto zip_of = [](const std::vector<std::pair<std::string, std::string>>& entries) {
    std::ostringstream out;
    ZipWriter zip(out);
    for (const auto& [name, content] : entries) zip.add(name, content);
    zip.finish();
    return ZipReader(source_of(out.str()));
  };
  CHECK(is_torch_archive(zip_of({{"m/data.pkl", "N."}, {"m/version", "3\n"}})));
  CHECK_FALSE(is_torch_archive(zip_of({{"m/data.pkl", "N."}, {"m/constants.pkl", "N."}})));
  CHECK(is_torchscript_archive(zip_of({{"m/data.pkl", "N."}, {"m/constants.pkl", "N."}})));
  CHECK_FALSE(is_torch_archive(zip_of({{"x.npy", ""}})));
  CHECK(is_legacy_torch_file(*source_of("\x80\x02\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.")));
  CHECK_FALSE(is_legacy_torch_file(*source_of("\x80\x02}q\x01.")));

  const auto with_order = [](const std::string& order) {
    std::ostringstream out;
    ZipWriter zip(out);
    zip.add("m/data.pkl", "N.");
    zip.add("m/byteorder", order);
    zip.finish();
    return source_of(out.str());
  };
  CHECK_NOTHROW(TorchFile(with_order("little")));
  CHECK_NOTHROW(TorchFile(with_order("big")));
  CHECK_THROWS_WITH(TorchFile(with_order("middle")), "byteorder: found 'middle', expected 'little' or 'big'");
}

TEST_CASE("torch file: a damaged file gives one of our errors, or a model") {
  const std::string good = written(adam_model(), {.checkpoint = true});
  const auto attempt = [](const std::string& file) {
    try {
      const Model model = read(file);
      for (const auto& [name, tensor] : model.weights) tensor.read();
    } catch (const Error& error) {
      CHECK(error.status() >= ExitStatus::Usage);
    }
  };
  for (std::size_t size = 0; size < good.size(); size += 7) {
    CHECK_THROWS_AS(read(good.substr(0, size)), MalformedFile);
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string damaged = good;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << random_engine() % 8));
    attempt(damaged);
  }
}
