"""Fields of Pods (format: typetable.py). Source: the Kubernetes API reference.

Volume sources and other parts that neither kubectl nor this platform looks into are `any`: kept as they are, unchecked.
"""

POD = """
Pod
  apiVersion string
  kind string
  metadata ObjectMeta
  spec PodSpec!
  status PodStatus!
PodTemplateSpec
  metadata ObjectMeta!
  spec PodSpec!
PodSpec
  volumes []Volume key=name retain
  initContainers []Container key=name
  containers []Container key=name
  ephemeralContainers []EphemeralContainer key=name
  restartPolicy string
  terminationGracePeriodSeconds int64?
  activeDeadlineSeconds int64?
  dnsPolicy string
  nodeSelector map[string]string one
  serviceAccountName string
  serviceAccount string
  automountServiceAccountToken bool?
  nodeName string
  hostNetwork bool
  hostPID bool
  hostIPC bool
  shareProcessNamespace bool?
  securityContext any
  imagePullSecrets []LocalObjectReference key=name
  hostname string
  subdomain string
  affinity any
  schedulerName string
  tolerations []any
  hostAliases []any key=ip
  priorityClassName string
  priority int32?
  dnsConfig any
  readinessGates []any
  runtimeClassName string?
  enableServiceLinks bool?
  preemptionPolicy string?
  overhead map[string]Quantity
  topologySpreadConstraints []any keys=topologyKey,whenUnsatisfiable
  setHostnameAsFQDN bool?
  os any
  hostUsers bool?
  schedulingGates []any key=name
  resourceClaims []any key=name retain
  resources ResourceRequirements
  hostnameOverride string?
Volume
  name string!
  emptyDir any
  secret any
  configMap any
  projected any
  downwardAPI any
  hostPath any
  persistentVolumeClaim any
  ephemeral any
  csi any
  nfs any
  image any
Container
  name string!
  image string
  command []string
  args []string
  workingDir string
  ports []ContainerPort keys=containerPort,protocol
  envFrom []EnvFromSource
  env []EnvVar key=name
  resources ResourceRequirements!
  resizePolicy []any
  restartPolicy string?
  restartPolicyRules []any
  volumeMounts []VolumeMount key=mountPath
  volumeDevices []any key=devicePath
  livenessProbe Probe
  readinessProbe Probe
  startupProbe Probe
  lifecycle any
  terminationMessagePath string
  terminationMessagePolicy string
  imagePullPolicy string
  securityContext any
  stdin bool
  stdinOnce bool
  tty bool
EphemeralContainer
  name string!
  image string
  command []string
  args []string
  workingDir string
  env []EnvVar key=name
  envFrom []EnvFromSource
  volumeMounts []VolumeMount key=mountPath
  imagePullPolicy string
  terminationMessagePath string
  terminationMessagePolicy string
  securityContext any
  stdin bool
  stdinOnce bool
  tty bool
  targetContainerName string
ContainerPort
  name string
  hostPort int32
  containerPort int32!
  protocol string
  hostIP string
EnvVar
  name string!
  value string
  valueFrom EnvVarSource
EnvVarSource
  fieldRef ObjectFieldSelector
  resourceFieldRef ResourceFieldSelector
  configMapKeyRef KeySelector
  secretKeyRef KeySelector
  fileKeyRef any
ObjectFieldSelector
  apiVersion string
  fieldPath string!
ResourceFieldSelector
  containerName string
  resource string!
  divisor Quantity
KeySelector
  name string
  key string!
  optional bool?
EnvFromSource
  prefix string
  configMapRef EnvSource
  secretRef EnvSource
EnvSource
  name string
  optional bool?
ResourceRequirements
  limits map[string]Quantity
  requests map[string]Quantity
  claims []any key=name
VolumeMount
  name string!
  readOnly bool
  recursiveReadOnly string?
  mountPath string!
  subPath string
  subPathExpr string
  mountPropagation string?
Probe
  exec ExecAction
  httpGet HTTPGetAction
  tcpSocket TCPSocketAction
  grpc GRPCAction
  initialDelaySeconds int32
  timeoutSeconds int32
  periodSeconds int32
  successThreshold int32
  failureThreshold int32
  terminationGracePeriodSeconds int64?
ExecAction
  command []string
HTTPGetAction
  path string
  port IntOrString!
  host string
  scheme string
  httpHeaders []HTTPHeader
HTTPHeader
  name string!
  value string!
TCPSocketAction
  port IntOrString!
  host string
GRPCAction
  port int32!
  service string?
"""
