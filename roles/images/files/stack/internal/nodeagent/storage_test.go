package nodeagent

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func released() *corev1.PersistentVolume {
	class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "standard"}, Provisioner: provisioner}
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data", UID: "u1"}}
	volume := volumeFor(claim, class, "one")
	volume.Status.Phase = corev1.VolumeReleased
	return volume
}

func TestAVolumeBelongsToItsClaimAndNode(t *testing.T) {
	volume := released()
	if volume.Name != "pvc-u1" || volume.Spec.ClaimRef.UID != "u1" || volume.Spec.Local.Path != volumesRoot+"/pvc-u1" {
		t.Errorf("volume: %+v", volume.Spec)
	}
	if !onNode(volume, "one") || onNode(volume, "two") {
		t.Errorf("affinity: %+v", volume.Spec.NodeAffinity)
	}
}

func TestOnlyOwnReleasedVolumesAreRemoved(t *testing.T) {
	if !removable(released(), "one") {
		t.Fatal("a released volume of this node is not removed")
	}
	for name, change := range map[string]func(*corev1.PersistentVolume){
		"another provisioner's": func(v *corev1.PersistentVolume) { v.Annotations[provisionedBy] = "other" },
		"still bound":           func(v *corev1.PersistentVolume) { v.Status.Phase = corev1.VolumeBound },
		"to be kept": func(v *corev1.PersistentVolume) {
			v.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimRetain
		},
		"outside the folder": func(v *corev1.PersistentVolume) { v.Spec.Local.Path = "/etc" },
		"above the folder":   func(v *corev1.PersistentVolume) { v.Spec.Local.Path = volumesRoot + "/../x" },
		"no directory":       func(v *corev1.PersistentVolume) { v.Spec.Local = nil },
		"going already":      func(v *corev1.PersistentVolume) { v.DeletionTimestamp = &metav1.Time{} },
	} {
		volume := released()
		change(volume)
		if removable(volume, "one") {
			t.Errorf("a volume that is %s would be removed", name)
		}
	}
	if removable(released(), "two") {
		t.Error("another node's volume would be removed")
	}
}
