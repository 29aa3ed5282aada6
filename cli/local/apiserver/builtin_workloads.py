"""Fields of Pod status, Node and ReplicaSet (format: typetable.py). Source: the Kubernetes API reference."""

POD_STATUS = """
PodStatus
  phase string
  observedGeneration int64
  conditions []PodCondition key=type
  message string
  reason string
  nominatedNodeName string
  hostIP string
  hostIPs []IPAddress key=ip
  podIP string
  podIPs []IPAddress key=ip
  startTime Time
  initContainerStatuses []ContainerStatus
  containerStatuses []ContainerStatus
  ephemeralContainerStatuses []ContainerStatus
  qosClass string
  resize string
  resourceClaimStatuses []any key=name retain
IPAddress
  ip string!
PodCondition
  type string!
  status string!
  observedGeneration int64
  lastProbeTime Time!
  lastTransitionTime Time!
  reason string
  message string
ContainerStatus
  name string!
  state ContainerState!
  lastState ContainerState!
  ready bool!
  restartCount int32!
  image string!
  imageID string!
  containerID string
  started bool?
  allocatedResources map[string]Quantity
  allocatedResourcesStatus []any key=name
  resources ResourceRequirements
  volumeMounts []any key=mountPath
  user any
  stopSignal string
ContainerState
  waiting ContainerStateWaiting
  running ContainerStateRunning
  terminated ContainerStateTerminated
ContainerStateWaiting
  reason string
  message string
ContainerStateRunning
  startedAt Time!
ContainerStateTerminated
  exitCode int32!
  signal int32
  reason string
  message string
  startedAt Time!
  finishedAt Time!
  containerID string
"""

WORKLOADS = """
Node
  apiVersion string
  kind string
  metadata ObjectMeta
  spec NodeSpec!
  status NodeStatus!
NodeSpec
  podCIDR string
  podCIDRs []string set
  providerID string
  unschedulable bool
  taints []Taint
  configSource any
  externalID string
NodeStatus
  capacity map[string]Quantity
  allocatable map[string]Quantity
  phase string
  conditions []NodeCondition key=type
  addresses []NodeAddress key=type
  daemonEndpoints NodeDaemonEndpoints!
  nodeInfo NodeSystemInfo!
  images []any
  volumesInUse []string
  volumesAttached []any
  config any
  runtimeHandlers []any
  features any
  declaredFeatures []string
NodeSystemInfo
  machineID string!
  systemUUID string!
  bootID string!
  kernelVersion string!
  osImage string!
  containerRuntimeVersion string!
  kubeletVersion string!
  kubeProxyVersion string!
  operatingSystem string!
  architecture string!
  swap any
Taint
  key string!
  value string
  effect string!
  timeAdded Time
NodeCondition
  type string!
  status string!
  lastHeartbeatTime Time!
  lastTransitionTime Time!
  reason string
  message string
NodeAddress
  type string!
  address string!
NodeDaemonEndpoints
  kubeletEndpoint DaemonEndpoint!
DaemonEndpoint
  Port int32!
ReplicaSet
  apiVersion string
  kind string
  metadata ObjectMeta
  spec ReplicaSetSpec!
  status ReplicaSetStatus!
ReplicaSetSpec
  replicas int32?
  minReadySeconds int32
  selector LabelSelector one
  template PodTemplateSpec!
ReplicaSetStatus
  replicas int32!
  fullyLabeledReplicas int32
  readyReplicas int32
  availableReplicas int32
  terminatingReplicas int32?
  observedGeneration int64
  conditions []ReplicaSetCondition key=type
ReplicaSetCondition
  type string!
  status string!
  lastTransitionTime Time!
  reason string
  message string
"""
