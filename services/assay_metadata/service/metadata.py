"""All handlers in one object, as grpc wants them."""

from assay_metadata.service.comparing import Comparing
from assay_metadata.service.exporting import Exporting
from assay_metadata.service.importing import Importing
from assay_metadata.service.namespaces import Namespaces
from assay_metadata.service.search import Search
from assay_metadata.service.stage_graphs import StageGraphs
from assay_metadata.service.targets import Targets


class MetadataService(Namespaces, Importing, Targets, StageGraphs, Search, Comparing, Exporting):
    """Models, their versions, and the aliases and stages that those hold.

    `Importing` brings the handlers of models and of versions, whose rules it goes by.
    """
