#include "keras/dialects/inserted.h"

#include "keras/call.h"
#include "keras/dialects/nodes.h"

namespace h5bridge {

Json inserted_layer(const std::string& class_name, Json::Object config, const std::string& name) {
  config.set("name", name);
  return Json::Object{{"module", "keras.layers"},
                      {"class_name", class_name},
                      {"config", std::move(config)},
                      {"registered_name", nullptr},
                      {"name", name}};
}

Json calls_behind(const std::string& name, std::size_t count) {
  Json::Array nodes;
  for (std::size_t call = 0; call < count; ++call)
    nodes.push_back(Json::Object{{"args", Json::Array{keras_tensor(Json::Array{name, call, 0})}},
                                 {"kwargs", Json::Object{}},
                                 {kHandsMaskOn, true}});
  return nodes;
}

}  // namespace h5bridge
